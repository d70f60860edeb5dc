//! What a disk may hold after the power was cut.
//!
//! Of the changes of names that no sync of a folder covered, any may have happened, later ones without
//! earlier ones; of bytes that no sync of a file covered, any may be there. What is durable stays as it is:
//! a write never harms synced bytes beside it.

use std::collections::BTreeMap;

use super::disk::{Content, Disk, settle};

/// What the system writes at once.
const PAGE: usize = 4096;
/// What the disk writes at once.
const SECTOR: usize = 512;

impl Disk {
    /// Returns one of the possible disks after a power cut.
    pub fn after_crash(&self, seed: u64) -> Disk {
        let random = &mut SplitMix64(seed);
        let mut names = self.durable.clone();
        // Even odds for each of many changes would never try that all of them happened, or none.
        let odds = random.below(5);
        settle(&mut names, &self.pending, |_| random.below(4) < odds);
        let mut files = BTreeMap::new();
        for &file in names.values() {
            let content = self.files.get(&file).expect("files with a name are kept");
            files.insert(file, content.after_crash(random));
        }
        Disk::settled(files, names)
    }
}

impl Content {
    fn after_crash(&self, random: &mut SplitMix64) -> Content {
        let (synced, len) = (self.synced, self.bytes.len());
        if synced == len {
            return self.clone();
        }
        let mut bytes = self.bytes.to_vec();
        match random.below(5) {
            0 => bytes.truncate(synced),
            1 => bytes.truncate(synced + random.below(len - synced)),
            2 => {}
            3 => tear(&mut bytes, synced, random),
            _ => drop_blocks(&mut bytes, synced, random),
        }
        Content::durable(bytes)
    }
}

/// Ends a file with a page that was written in part: its end is zeros, or what the disk held there before.
fn tear(bytes: &mut Vec<u8>, synced: usize, random: &mut SplitMix64) {
    let len = synced + 1 + random.below(bytes.len() - synced);
    bytes.truncate(len);
    let page = synced.max((len - 1) / PAGE * PAGE);
    let from = page + random.below(len - page);
    let garbage = random.below(2) == 1;
    for byte in &mut bytes[from..] {
        *byte = if garbage { random.next() as u8 } else { 0 };
    }
}

/// Leaves out blocks that had not been written when later ones had: zeros are read there.
fn drop_blocks(bytes: &mut [u8], synced: usize, random: &mut SplitMix64) {
    let block = if random.below(2) == 0 { SECTOR } else { PAGE };
    let odds = 1 + random.below(3);
    let mut from = synced;
    while from < bytes.len() {
        let to = bytes.len().min((from / block + 1) * block);
        if random.below(4) < odds {
            bytes[from..to].fill(0);
        }
        from = to;
    }
}

/// Steele, Lea and Flood's `SplitMix64`: a seed decides the image, on every platform.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}
