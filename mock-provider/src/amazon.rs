//! Amazon's binary event stream, written from its specification: tests hold the mesh's own reader and writer of it to this.
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>
use std::fmt::Display;

/// An event of that kind whose payload is this JSON.
pub fn frame(kind: &str, payload: &dyn Display) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(name.len() as u8);
        headers.extend(name.as_bytes());
        // 7 is the type of strings, which have two bytes of length before them.
        headers.push(7);
        headers.extend((value.len() as u16).to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let payload = payload.to_string();
    let mut out = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    out.extend((headers.len() as u32).to_be_bytes());
    out.extend(crc32(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload.as_bytes());
    out.extend(crc32(&out).to_be_bytes());
    out
}

/// CRC-32 bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_one_that_everybody_has() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
