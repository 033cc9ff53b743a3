use super::*;
use engine::OutputContent;

fn at(microsecond: i64) -> Timestamp {
    Timestamp::from_microsecond(microsecond).unwrap()
}

/// What a reader gives out, as text: lines, and `-N` for N dropped ones.
fn read(reader: &mut SpoolReader) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(line) = reader.next_line().unwrap() {
        found.push(match line.content {
            OutputContent::Line(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            OutputContent::Dropped(count) => format!("-{count}"),
        });
    }
    found
}

#[test]
fn lines_come_back_once_with_their_times_while_more_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = Spool::create(directory.path().join("output"), 1 << 20).unwrap();
    let mut reader = SpoolReader::new(directory.path().join("output"), 0);
    assert_eq!(reader.next_line().unwrap(), None);
    spool.push(b"one", at(1_700_000_000_000_001));
    assert_eq!(reader.next_line().unwrap(), None, "not flushed yet");
    assert_eq!(spool.last_sequence(), 0);
    spool.flush();
    assert_eq!(spool.last_sequence(), 1);
    let line = reader.next_line().unwrap().unwrap();
    assert_eq!((line.sequence, line.time), (1, at(1_700_000_000_000_001)));
    spool.push(b"", at(2));
    spool.push(b"three", at(3));
    spool.flush();
    assert_eq!(read(&mut reader), ["", "three"]);
    assert_eq!(read(&mut SpoolReader::new(directory.path().join("output"), 2)), ["three"]);
    assert_eq!(read(&mut SpoolReader::new(directory.path().join("output"), 9)), [""; 0]);
}

#[test]
fn a_full_spool_counts_what_it_drops_and_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let mut spool = Spool::create(output.clone(), 4 << 10).unwrap();
    for number in 0..1000 {
        spool.push(format!("{number:079}").as_bytes(), at(number));
        spool.flush();
    }
    let mut reader = SpoolReader::new(output.clone(), 0);
    let kept = read(&mut reader);
    // 100 bytes a record with its header: 40 fit into 4 KiB.
    assert_eq!(kept.len(), 40);
    // Told as soon as there is room, and when it began, however long the program is quiet then.
    spool.acknowledge(40);
    spool.flush();
    let mut loss = SpoolReader::new(output.clone(), 40);
    assert_eq!(loss.next_line().unwrap().map(|line| line.time), Some(at(40)));
    assert_eq!(read(&mut reader), ["-960"]);
    spool.push(b"after", at(2000));
    spool.flush();
    assert_eq!(read(&mut reader), ["after"]);
    assert_eq!(reader.position(), 42);
    // What was acknowledged is gone, all but at most the segment that was current.
    assert!(segments(&output).unwrap()[0] > 1);
}

#[test]
fn what_is_dropped_at_the_end_is_noted_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = Spool::create(directory.path().join("output"), 100).unwrap();
    spool.push(&[b'x'; 60], at(1));
    spool.push(&[b'y'; 60], at(2));
    spool.push(&[b'z'; 60], at(3));
    spool.finish();
    let lines = read(&mut SpoolReader::new(directory.path().join("output"), 0));
    assert_eq!(lines, ["x".repeat(60), "-2".into()]);
    assert_eq!(spool.last_sequence(), 2);
}

#[test]
fn every_line_survives_any_pattern_of_reading_acknowledging_and_coming_back() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let mut spool = Spool::create(output.clone(), 16 << 10).unwrap();
    let mut reader = SpoolReader::new(output.clone(), 0);
    let mut found = Vec::new();
    for number in 0..5000_u32 {
        spool.push(format!("line {number} {}", "x".repeat((number % 97) as usize)).as_bytes(), at(1));
        if number % 7 == 0 {
            spool.flush();
            found.extend(read(&mut reader));
            spool.acknowledge(reader.position());
        }
        if number % 31 == 0 {
            reader = SpoolReader::new(output.clone(), reader.position());
        }
    }
    spool.finish();
    found.extend(read(&mut reader));
    assert_eq!(found.len(), 5000);
    for (number, line) in found.iter().enumerate() {
        assert!(line.starts_with(&format!("line {number} ")), "{line}");
    }
}

#[test]
fn a_torn_record_ends_a_segment_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let mut spool = Spool::create(output.clone(), 1 << 20).unwrap();
    spool.push(b"whole", at(1));
    spool.push(b"torn", at(1));
    spool.flush();
    let segment = segment_path(&output, 1);
    let length = fs::metadata(&segment).unwrap().len();
    fs::File::options().write(true).open(&segment).unwrap().set_len(length - 2).unwrap();
    assert_eq!(read(&mut SpoolReader::new(output.clone(), 0)), ["whole"]);
    fs::write(&segment, [0; 4096]).unwrap();
    assert_eq!(read(&mut SpoolReader::new(output, 0)), [""; 0]);
}
