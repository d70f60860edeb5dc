//! Changes to a manifest that leave it a manifest.

use ecphory_index::format::manifest::{KindEntry, Manifest, PartEntry, PartKind};

/// Makes changes of eleven bytes each: what is changed, the segment, the part, and a number (eight).
pub fn manifest(mut manifest: Manifest, data: &[u8]) -> Manifest {
    for change in data.as_chunks::<11>().0 {
        let &[what, segment, part, ..] = change;
        let number = u64::from_le_bytes(change[3..].try_into().expect("eleven less three"));
        match what % 16 {
            0 => manifest.generation = number,
            1 => manifest.next_segment = number as u32,
            2 => manifest.next_part = number,
            3 => manifest.log = Some(number).filter(|&number| number > 0),
            4 => change_channel(&mut manifest, segment, part, number),
            _ => change_segment(&mut manifest, what % 16, (segment, part), number),
        }
    }
    manifest
}

fn change_channel(manifest: &mut Manifest, channel: u8, what: u8, number: u64) {
    let count = manifest.channels.len();
    if count == 0 {
        return;
    }
    let place = usize::from(channel) % count;
    match what % 4 {
        0 => drop(manifest.channels.remove(place)),
        1 => manifest.channels.push(manifest.channels[place].clone()),
        2 => manifest.channels.swap(0, place),
        _ => match &mut manifest.channels[place].kind {
            KindEntry::Bm25 { k1, b, .. } => {
                (*k1, *b) = (f32::from_bits(number as u32), f32::from_bits((number >> 32) as u32));
            }
            KindEntry::Dense { dimensions, .. } => *dimensions = number as u32,
            KindEntry::Sparse { terms, .. } => *terms = number as u32,
        },
    }
}

fn change_segment(manifest: &mut Manifest, what: u8, (segment, part): (u8, u8), number: u64) {
    let count = manifest.segments.len();
    if count == 0 {
        return;
    }
    let place = usize::from(segment) % count;
    match what {
        5 => manifest.segments[place].segment = number as u32,
        6 => manifest.segments[place].documents = number as u32,
        7 => drop(manifest.segments.remove(place)),
        8 => manifest.segments.push(manifest.segments[place].clone()),
        9 => manifest.segments.swap(0, place),
        _ => change_part(&mut manifest.segments[place].parts, what, part, number),
    }
}

fn change_part(parts: &mut Vec<PartEntry>, what: u8, part: u8, number: u64) {
    let count = parts.len();
    if count == 0 {
        return;
    }
    let place = usize::from(part) % count;
    let entry = &mut parts[place];
    match what {
        10 => entry.part = number,
        11 => entry.first = number as u32,
        12 => entry.documents = number as u32,
        13 => {
            use PartKind::{Bm25, Columns, Dense, Documents, Sparse, Tombstones};
            let kinds = [Documents, Bm25, Dense, Tombstones, Columns, Sparse];
            entry.kind = kinds[number as usize % kinds.len()];
            let channels = [None, Some("bm25"), Some("dense"), Some("none"), Some("sparse")];
            entry.channel = channels[(number >> 8) as usize % channels.len()].map(str::to_owned);
        }
        14 => drop(parts.remove(place)),
        _ => {
            let twin = entry.clone();
            parts.push(twin);
        }
    }
}
