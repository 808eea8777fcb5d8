//! Compressed bodies: the filter and whoever stands behind it see them plain, and bombs do not go off.
use std::io::Write;

use crate::{
    http::{hex, send, upstream},
    mesh::Mesh,
};

const TEXT: &[u8] = br#"{"prompt":"hello from brotli"}"#;

/// [`TEXT`], by the reference implementation.
const BROTLI: &str = "1b1d00e0057463a9afc4c726281eb1896988280345ee0e4f9717f16c2148cbe001";

/// 64 MiB of zeros, by the reference implementation.
const BROTLI_BOMB: &str = concat!(
    "cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefd1fffffffe09f0088c30200ddfb3ffeffffc13f0110870500baf77ffcffff837f",
    "02200e0b0074effff8ffff07ff04401c1600e8defff1ffff0ffe0980382c00d0bdffe3ffff1ffc1300715800a07bff37"
);

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A frame (RFC 8878) of one block as it is.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd_frame(&[(u32::try_from(bytes.len()).unwrap(), 0, bytes)])
}

/// A frame of many blocks, each one byte that is repeated 128 Ki times.
fn zstd_bomb(blocks: usize) -> Vec<u8> {
    zstd_frame(&vec![(128 * 1024, 1, b"\0".as_slice()); blocks])
}

fn zstd_frame(blocks: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for (number, (size, sort, content)) in blocks.iter().enumerate() {
        let last = u32::from(number + 1 == blocks.len());
        frame.extend(&(last | sort << 1 | size << 3).to_le_bytes()[..3]);
        frame.extend(*content);
    }
    frame
}

async fn mesh(name: &str) -> Mesh {
    let rest = upstream("rest").await;
    let mesh = Mesh::start(name, false, &[("default", format!("http://{rest}"))]).await;
    mesh.publish_accepted("1").await;
    mesh
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_plain_behind_the_sidecar_both_ways() {
    let mesh = mesh("codings").await;
    for (coding, body) in [("gzip", gzip(TEXT)), ("br", unhex(BROTLI)), ("zstd", zstd(TEXT))] {
        let headers = [("content-encoding", coding), ("accept-encoding", "deflate, gzip")];
        let told = send(mesh.sidecar, "POST", "/", &headers, &body).await.unwrap().json();
        assert_eq!(told["body"].as_str().unwrap().as_bytes(), TEXT, "{coding}");
        assert_eq!(told["headers"]["content-encoding"], serde_json::Value::Null);
        assert_eq!(told["headers"]["accept-encoding"], "identity");

        let body = hex(&body);
        let headers = [("x-answer", body.as_str()), ("x-coding", coding), ("cache-control", "no-transform")];
        let answer = send(mesh.sidecar, "GET", "/", &headers, b"").await.unwrap();
        assert_eq!(answer.body, TEXT, "{coding}: {}", answer.headers);
        assert!(!answer.headers.contains("content-encoding"), "{}", answer.headers);
    }
}

/// Envoy's decompressors do not end a request whose body is bad: they cut it off. What goes on is then what the filter
/// saw, and it is never more than a hundred times what came.
#[tokio::test(flavor = "multi_thread")]
async fn bombs_and_broken_bodies_are_cut_off() {
    let mut mesh = mesh("bombs").await;
    let zeros = vec![0; 64 << 20];
    let whole = gzip(TEXT);
    let cases: [(&str, Vec<u8>); 8] = [
        ("gzip", gzip(&zeros)),
        ("br", unhex(BROTLI_BOMB)),
        ("zstd", zstd_bomb(512)),
        ("gzip", whole[..whole.len() / 2].to_vec()),
        ("gzip", b"no gzip".to_vec()),
        ("br", b"no brotli at all".to_vec()),
        ("zstd", b"no zstd".to_vec()),
        ("br, gzip", whole.clone()),
    ];
    for (coding, body) in cases {
        let told =
            send(mesh.sidecar, "POST", "/", &[("content-encoding", coding)], &body).await.unwrap().json();
        let length = told["length"].as_u64().unwrap() as usize;
        // The check comes after each piece of output: one may be too many.
        let most = 100 * body.len() + 256 * 1024;
        assert!(length < most && length < zeros.len(), "{coding}: {} bytes became {length}", body.len());
    }
    assert!(mesh.is_alive());
}
