//! Another Rust static library, for a program that has libunipc.a too.

#[unsafe(no_mangle)]
pub extern "C" fn second_adds(left: i32, right: i32) -> i32 {
    [left, right].iter().sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn second_catches_its_panic() -> i32 {
    std::panic::set_hook(Box::new(|_| {}));
    let panicked = std::panic::catch_unwind(|| format!("{:?}", Vec::<i32>::new()[std::env::args().count()]));
    panicked.is_err().into()
}
