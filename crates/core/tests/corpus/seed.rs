//! Makes the inputs that the fuzzers begin with, out of the golden logs. Inputs that a fuzzer found stay.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use agent_team_core::record::codec;

pub fn write(corpus: &Path) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../team/tests/golden/format-1");
    let mut kinds = BTreeSet::new();
    for target in ["framing", "codec", "apply", "records"] {
        fs::create_dir_all(corpus.join(target)).unwrap();
    }
    for path in fs::read_dir(golden).unwrap().map(|file| file.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let file = fs::read(&path).unwrap();
        let (_header, log) = file.split_at(file.iter().position(|byte| *byte == b'\n').unwrap() + 1);
        let lines: Vec<Vec<u8>> = log.split(|byte| *byte == b'\n').filter_map(record).collect();
        // The first byte says where the read, or the fold, is cut in two.
        fs::write(corpus.join("framing").join(name), [&[128], log].concat()).unwrap();
        for (number, part) in lines.chunks(24).enumerate() {
            let input = [&[12], part.join(&b'\n').as_slice()].concat();
            fs::write(corpus.join("apply").join(format!("{name}-{number}")), input).unwrap();
        }
        for line in lines {
            let Ok(record) = codec::decode(&line) else { continue };
            if kinds.insert(record.body.kind().to_owned()) {
                fs::write(corpus.join("codec").join(record.body.kind()), line).unwrap();
            }
        }
    }
    for seed in 1..=16_u64 {
        fs::write(corpus.join("records").join(format!("seed-{seed}")), noise(seed, 800)).unwrap();
    }
}

/// The record of a line of a log: its first two fields are the frame's.
fn record(line: &[u8]) -> Option<Vec<u8>> {
    let members = line.strip_prefix(b"{\"len\":")?.split(|byte| *byte == b',').take(2);
    let frame = members.map(|member| member.len() + 1).sum::<usize>() + b"{\"len\":".len();
    Some([b"{", line.get(frame..)?].concat())
}

/// Bytes without a pattern (a linear congruential generator with Knuth's constants for MMIX).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(seed), next).skip(1).take(length).map(|state| (state >> 56) as u8).collect()
}
