//! A wasm module small enough to write down: a filter that lets everything pass, and accepts only configurations of an
//! even number of bytes. A request with more than 63 headers brings it down.

/// The module, in the binary format (WebAssembly core specification, chapter 5).
pub(crate) fn module() -> Vec<u8> {
    const I32: u8 = 0x7f;
    let types = vector(&[
        vec![0x60, 0, 0],                     // 0: () -> ()
        vec![0x60, 1, I32, 1, I32],           // 1: (i32) -> i32
        vec![0x60, 2, I32, I32, 1, I32],      // 2: (i32, i32) -> i32
        vec![0x60, 3, I32, I32, I32, 1, I32], // 3: (i32, i32, i32) -> i32
    ]);
    let functions = vector(&[vec![0], vec![1], vec![2], vec![3]]);
    let memory = vector(&[vec![0, 1]]);
    let exports = vector(&[
        export("memory", 2, 0),
        export("proxy_abi_version_0_2_1", 0, 0),
        export("proxy_on_memory_allocate", 0, 1),
        export("proxy_on_configure", 0, 2),
        export("proxy_on_request_headers", 0, 3),
    ]);
    let code = vector(&[
        body(&[]),
        body(&[0x41, 0x80, 0x08]),                      // i32.const 1024
        body(&[0x20, 1, 0x41, 1, 0x71, 0x41, 1, 0x73]), // (size & 1) ^ 1
        // headers > 63: unreachable; else 0
        body(&[0x20, 1, 0x41, 0x3f, 0x4a, 0x04, 0x40, 0x00, 0x0b, 0x41, 0]),
    ]);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in [(1, types), (3, functions), (5, memory), (7, exports), (10, code)] {
        module.push(id);
        module.push(u8::try_from(content.len()).unwrap());
        module.extend(content);
    }
    module
}

fn vector(items: &[Vec<u8>]) -> Vec<u8> {
    let mut encoded = vec![u8::try_from(items.len()).unwrap()];
    items.iter().for_each(|item| encoded.extend(item));
    encoded
}

fn export(name: &str, sort: u8, index: u8) -> Vec<u8> {
    let mut encoded = vec![u8::try_from(name.len()).unwrap()];
    encoded.extend(name.bytes());
    encoded.extend([sort, index]);
    encoded
}

fn body(instructions: &[u8]) -> Vec<u8> {
    let mut encoded = vec![u8::try_from(instructions.len() + 2).unwrap(), 0];
    encoded.extend(instructions);
    encoded.push(0x0b);
    encoded
}
