//! The four kinds of mapping: a child made by fork writes to each of them, and the parent shows
//! whether it sees that itself, and what then stands in the file.
//!
//! Run it: `cargo run -p unipc-examples --bin memory_modes -- [PATH]`
//! The path is that of a file to be made and removed.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs, io, io::Write, process};
use unipc::Memory;
use unipc::memory::Sharing;

fn main() -> Result<(), Box<dyn Error>> {
    let path = PathBuf::from(env::args().nth(1).unwrap_or("/tmp/unipc-example-modes".into()));

    println!("mapping            parent sees  file holds");
    for (kind, sharing) in [("shared", Sharing::Shared), ("private", Sharing::Private)] {
        let memory = Memory::options().size(6).sharing(sharing).anonymous()?;
        println!("{:<19}{:<13}-", format!("{kind} anonymous"), after_child(&memory)?);
    }
    for (kind, sharing) in [("shared", Sharing::Shared), ("private", Sharing::Private)] {
        fs::File::create_new(&path)?.write_all(b"before")?;
        let shown = with_file(&path, sharing);
        fs::remove_file(&path)?;
        println!("{:<19}{}", format!("{kind} file"), shown?);
    }
    Ok(())
}

fn with_file(path: &Path, sharing: Sharing) -> Result<String, Box<dyn Error>> {
    let memory = Memory::options().sharing(sharing).open_file(path)?;
    Ok(format!("{:<13}{}", after_child(&memory)?, fs::read_to_string(path)?))
}

/// Writes "parent", lets a child write "child!", and returns what then stands in the memory.
fn after_child(memory: &Memory) -> Result<String, Box<dyn Error>> {
    memory.write_at(0, b"parent")?;
    // SAFETY: this process has one thread, and the child only writes to the mapping and ends.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error().into()),
        0 => process::exit(i32::from(memory.write_at(0, b"child!").is_err())),
        // SAFETY: waits for the one child there is; the status is not asked for.
        child => _ = unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) },
    }
    let mut seen = [0; 6];
    memory.read_at(0, &mut seen)?;
    Ok(String::from_utf8(seen.to_vec())?)
}
