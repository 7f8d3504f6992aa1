//! What the fuzzer found worth keeping (fuzz/README.md), and what broke the library once.

use crate::judge::Judge;
use std::path::Path;

crate::promises! {
    fn no_script_of_the_fuzzers_does_harm() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/segment");
        let mut judge = Judge::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            judge.play(path.file_name().unwrap().to_str().unwrap(), &std::fs::read(&path).unwrap());
        }
        let played = judge.conclude();
        assert!(played > 40, "only {played} scripts were played");
    }
}
