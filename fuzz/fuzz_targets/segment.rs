//! Scripts of pokes into a queue's file and of operations on the queue, made up by the fuzzer.
#![no_main]

#[path = "../../ipc-core/tests/hostile/script.rs"]
mod script;
#[path = "../../ipc-core/tests/hostile/segment.rs"]
mod segment;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    script::run(&format!("/unipc-fuzz-{}", std::process::id()), bytes);
});
