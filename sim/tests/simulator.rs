//! What the simulator promises of itself: it repeats itself, its disk tears as real ones do, and it shrinks what fails.

use agent_team_sim::disk::{Disk, PAGE_BYTES};
use agent_team_sim::mutant::{Off, Rule};
use agent_team_sim::mutants;
use agent_team_sim::options::{Lock, Options};
use agent_team_sim::random::Random;
use agent_team_sim::{shrink, simulation};

fn framed(length: usize) -> Vec<u8> {
    let mut bytes = vec![b'x'; length];
    bytes[0] = b'\n';
    bytes[length - 1] = b'\n';
    bytes
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let options = Options::of_seed(seed);
        let (one, two) = (simulation::run(&options, true), simulation::run(&options, true));
        assert!(one.trace.len() > 50, "seed {seed} hardly does anything");
        assert_eq!(one.trace, two.trace, "seed {seed}");
    }
}

#[test]
fn some_seeds_hold_under_each_lock() {
    for seed in 0..200 {
        for lock in Lock::ALL {
            let outcome = simulation::run(&Options { lock, ..Options::of_seed(seed) }, false);
            assert_eq!(outcome.violation, None, "seed {seed}, lock {}", lock.name());
        }
    }
}

/// Of a million seeds these are the two in which a checker took something lawful for a breach.
#[test]
fn seeds_that_misled_a_checker_hold() {
    for seed in [541_037, 929_036] {
        let outcome = simulation::run(&Options::of_seed(seed), false);
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

#[test]
fn appends_tear_at_page_borders_of_the_file_and_nowhere_else() {
    let mut disk = Disk::default();
    let record = framed(3000);
    assert!(disk.tears(record.len()).is_empty(), "the first page holds it");
    assert_eq!(disk.append(&record, record.len(), 0).len(), 1);
    assert_eq!(disk.tears(record.len()), [PAGE_BYTES - 3000]);
    assert_eq!(disk.tears(2 * PAGE_BYTES), [PAGE_BYTES - 3000, 2 * PAGE_BYTES - 3000]);
    assert!(disk.append(&record, PAGE_BYTES - 3000, 1).is_empty());
    assert_eq!(disk.bytes().len(), PAGE_BYTES);
}

#[test]
fn a_record_that_lacks_its_last_line_break_is_made_whole_by_the_next_writer() {
    let mut disk = Disk::default();
    let record = framed(100);
    assert!(disk.append(&record, 99, 7).is_empty());
    let whole: Vec<usize> = disk.append(&record, 100, 8).iter().map(|extent| extent.tag).collect();
    assert_eq!(whole, [7, 8]);
}

#[test]
fn a_full_disk_takes_a_part() {
    let mut disk = Disk::default();
    disk.room = Some(40);
    assert!(disk.append(&framed(100), 100, 0).is_empty());
    assert_eq!(disk.bytes().len(), 40);
}

#[test]
fn a_power_cut_takes_only_what_was_not_synced() {
    for seed in 0..200 {
        let mut disk = Disk::default();
        let mut extents = Vec::new();
        for tag in 0..10 {
            extents.extend(disk.append(&framed(3000), 3000, tag));
            if tag == 4 {
                disk.sync();
            }
        }
        let before = disk.bytes().to_vec();
        let left = disk.cut_power(&mut Random::new(seed), seed % 2 == 0, &extents);
        assert_eq!(left[..5], extents[..5], "seed {seed}");
        let after = disk.bytes();
        assert_eq!(after[..15_000], before[..15_000]);
        for (at, byte) in after.iter().enumerate() {
            assert!(*byte == before[at] || (*byte == 0 && seed % 2 == 0), "seed {seed}, byte {at}");
        }
    }
}

#[test]
fn readers_see_the_first_part_of_an_append_until_it_is_done() {
    let mut disk = Disk::default();
    disk.append(&framed(100), 100, 0);
    disk.show_only(60);
    assert_eq!(disk.visible().len(), 60);
    disk.append(&framed(100), 100, 1);
    assert_eq!(disk.visible().len(), 200);
}

#[test]
fn what_fails_is_shrunk_and_still_fails_in_the_same_way() {
    let rule = Rule::named("core.SeenRenewal").unwrap();
    let off = Off { rules: vec![rule] };
    let failing =
        (0..500).map(|seed| Options { off: off.clone(), ..Options::of_seed(seed) }).find(|options| {
            let violation = simulation::run(options, false).violation;
            violation.is_some_and(|(violation, _)| violation.checker == "takeover")
        });
    let failing = failing.unwrap();
    let before = simulation::run(&failing, true);
    let (small, outcome) = shrink::shrink(&failing);
    assert_eq!(outcome.violation.unwrap().0.checker, "takeover");
    assert!(outcome.trace.len() < before.trace.len());
    assert!(small.without.len() > 5 && small.to_string().contains("--without"));
}

#[test]
fn every_rule_has_a_name_of_its_own() {
    for rule in Rule::all() {
        assert_eq!(Rule::named(&rule.name()), Some(rule));
    }
    assert!(mutants::pairs(1).len() > 1000);
}
