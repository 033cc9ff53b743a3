//! The bytes of one record: what is written to a segment and read back.
//!
//! A record is a length (u32), a CRC-32C of the payload (u32) and the payload, little-endian. A
//! record that is cut short or does not match its checksum ends the readable part of a segment.

use crate::LineId;
use bytes::Bytes;
use crc::{CRC_32_ISCSI, Crc, Table};
use domain::{LogLine, LogSource};
use jiff::Timestamp;
use uuid::Uuid;

/// With tables for sixteen bytes at once: 16 KiB, and several times as fast as with one.
static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
/// Bytes in front of a payload.
pub(crate) const HEADER: usize = 8;
/// A length above this is damage, not a record.
const MAX_PAYLOAD: usize = 4 << 20;
/// So many positions fit into one record with room to spare.
pub(crate) const MAX_POSITIONS: usize = 100_000;

const KIND_LINE: u8 = 1;
const KIND_POSITIONS: u8 = 2;

/// What a segment consists of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    Line(Stored),
    /// How far each container's output was kept when the segment began.
    Positions(Vec<(Uuid, u64)>),
}

/// A line with its id and, for a container's output, where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) id: LineId,
    pub(crate) origin: Option<(Uuid, u64)>,
    pub(crate) line: LogLine,
}

/// What stands at the beginning of some bytes.
pub(crate) enum Decoded {
    /// A record and the bytes it took.
    Record(Record, usize),
    /// The record goes on behind the end: so many bytes are needed.
    Short(usize),
    /// No record: damage, or a write that was cut short.
    Damaged,
}

/// Appends a line to `buffer`, with `message`, which is all of its message or a part.
pub(crate) fn encode_line(
    buffer: &mut Vec<u8>,
    id: LineId,
    origin: Option<(Uuid, u64)>,
    line: &LogLine,
    message: &[u8],
) {
    let start = begin(buffer, KIND_LINE);
    buffer.extend(id.0.to_le_bytes());
    buffer.extend(line.time.as_microsecond().to_le_bytes());
    buffer.push(match line.source {
        LogSource::App => 0,
        LogSource::Heroku => 1,
    });
    buffer.push(u8::from(origin.is_some()));
    if let Some((container, sequence)) = origin {
        buffer.extend(container.as_bytes());
        buffer.extend(sequence.to_le_bytes());
    }
    let process = &line.process.as_bytes()[..line.process.len().min(usize::from(u16::MAX))];
    buffer.extend((process.len() as u16).to_le_bytes());
    buffer.extend(process);
    buffer.extend(message);
    finish(buffer, start);
}

/// Appends the containers' positions to `buffer`.
pub(crate) fn encode_positions<'a>(
    buffer: &mut Vec<u8>,
    positions: impl Iterator<Item = (&'a Uuid, &'a u64)>,
) {
    let start = begin(buffer, KIND_POSITIONS);
    for (container, sequence) in positions {
        buffer.extend(container.as_bytes());
        buffer.extend(sequence.to_le_bytes());
    }
    finish(buffer, start);
}

fn begin(buffer: &mut Vec<u8>, kind: u8) -> usize {
    let start = buffer.len();
    buffer.extend([0; HEADER]);
    buffer.push(kind);
    start
}

fn finish(buffer: &mut [u8], start: usize) {
    let payload = start + HEADER;
    let length = (buffer.len() - payload) as u32;
    let sum = CRC.checksum(&buffer[payload..]);
    buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    buffer[start + 4..payload].copy_from_slice(&sum.to_le_bytes());
}

/// Reads the record at the beginning of `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let mut reader = Reader(bytes);
    let (Some(length), Some(sum)) = (reader.take(), reader.take()) else {
        return Decoded::Short(HEADER);
    };
    let length = u32::from_le_bytes(length) as usize;
    if length == 0 || length > MAX_PAYLOAD {
        return Decoded::Damaged;
    }
    let Some(payload) = reader.0.get(..length) else {
        return Decoded::Short(HEADER + length);
    };
    if CRC.checksum(payload) != u32::from_le_bytes(sum) {
        return Decoded::Damaged;
    }
    match parse(payload) {
        Some(record) => Decoded::Record(record, HEADER + length),
        None => Decoded::Damaged,
    }
}

fn parse(payload: &[u8]) -> Option<Record> {
    let mut reader = Reader(payload);
    match reader.byte()? {
        KIND_LINE => {
            let id = LineId(reader.number()?);
            let time = Timestamp::from_microsecond(reader.number()? as i64).ok()?;
            let source = match reader.byte()? {
                0 => LogSource::App,
                _ => LogSource::Heroku,
            };
            let origin = match reader.byte()? {
                0 => None,
                _ => Some((reader.uuid()?, reader.number()?)),
            };
            let [low, high] = reader.take::<2>()?;
            let length = usize::from(u16::from_le_bytes([low, high]));
            let (process, message) = reader.0.split_at_checked(length)?;
            let process = String::from_utf8_lossy(process).into_owned().into();
            let line = LogLine { time, source, process, message: Bytes::copy_from_slice(message) };
            Some(Record::Line(Stored { id, origin, line }))
        }
        KIND_POSITIONS => {
            let mut positions = Vec::with_capacity(reader.0.len() / 24);
            while !reader.0.is_empty() {
                positions.push((reader.uuid()?, reader.number()?));
            }
            Some(Record::Positions(positions))
        }
        _ => None,
    }
}

/// Takes fixed pieces off the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn uuid(&mut self) -> Option<Uuid> {
        self.take().map(Uuid::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(message: &[u8]) -> LogLine {
        LogLine::app(Timestamp::from_microsecond(1_234_567).unwrap(), "web.1", message.to_vec())
    }

    proptest! {
        #[test]
        fn a_line_survives_the_round_trip(id: u64, message: Vec<u8>, origin: Option<(u128, u64)>) {
            let origin = origin.map(|(container, sequence)| (Uuid::from_u128(container), sequence));
            let stored = Stored { id: LineId(id), origin, line: line(&message) };
            let mut bytes = Vec::new();
            encode_line(&mut bytes, stored.id, stored.origin, &stored.line, &message);
            let Decoded::Record(record, used) = decode(&bytes) else { panic!("not decoded") };
            prop_assert_eq!(used, bytes.len());
            prop_assert_eq!(record, Record::Line(stored));
        }

        #[test]
        fn a_changed_or_cut_record_is_never_taken_for_one(at in 0_usize..60, bit in 0_u8..8) {
            let mut bytes = Vec::new();
            let message = b"some message";
            encode_line(&mut bytes, LineId(7), Some((Uuid::from_u128(1), 2)), &line(message), message);
            prop_assert!(matches!(decode(&bytes[..at.min(bytes.len() - 1)]), Decoded::Short(_)));
            bytes[at] ^= 1 << bit;
            prop_assert!(!matches!(decode(&bytes), Decoded::Record(..)));
        }

        #[test]
        fn noise_does_not_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn positions_survive_the_round_trip() {
        let positions = [(Uuid::from_u128(1), 5), (Uuid::from_u128(2), u64::MAX)];
        let mut bytes = Vec::new();
        encode_positions(&mut bytes, positions.iter().map(|(container, sequence)| (container, sequence)));
        assert!(matches!(decode(&bytes), Decoded::Record(Record::Positions(got), _) if got == positions));
    }
}
