//! Messages that say whether they are whole.

/// Its number tells a message's priority (in the upper half) and its place among those of that priority.
pub fn id(priority: u32, number: u32) -> u64 {
    u64::from(priority) << 32 | u64::from(number)
}

pub fn priority(id: u64) -> u32 {
    (id >> 32) as u32
}

/// As many bytes as the message with this number has, of at most `size`.
fn len(id: u64, size: usize) -> usize {
    size - (id as usize % 5).min(size - 8)
}

fn byte(id: u64, at: usize) -> u8 {
    (id.wrapping_add(at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
}

/// Fills the beginning of `buffer`, whose length is the queue's message size; how much of it.
pub fn write(id: u64, buffer: &mut [u8]) -> usize {
    let len = len(id, buffer.len());
    buffer[..8].copy_from_slice(&id.to_ne_bytes());
    for (at, to) in buffer[..len].iter_mut().enumerate().skip(8) {
        *to = byte(id, at);
    }
    len
}

/// The number of a whole message of a queue with messages of `size`; `None`: it is torn.
pub fn read(data: &[u8], size: usize) -> Option<u64> {
    let id = u64::from_ne_bytes(data.get(..8)?.try_into().ok()?);
    let whole = data.len() == len(id, size) && data.iter().enumerate().skip(8).all(|(at, &is)| is == byte(id, at));
    whole.then_some(id)
}

/// As [`read`], of a message at the beginning of a buffer as long as the queue's message size.
pub fn read_within(buffer: &[u8]) -> Option<u64> {
    let id = u64::from_ne_bytes(buffer.get(..8)?.try_into().ok()?);
    if id == 0 { None } else { read(&buffer[..len(id, buffer.len())], buffer.len()) }
}
