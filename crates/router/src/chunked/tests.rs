use super::*;
use proptest::prelude::*;

/// Data, trailers and what was left over.
type Read = (Vec<u8>, HeaderMap, Vec<u8>);

/// Reads `coded` as it comes in pieces of these lengths. `None` for a body that did not end.
fn read(coded: &[u8], pieces: &[usize]) -> Result<Option<Read>, Broken> {
    let (mut decoder, mut bytes, mut data) = (Chunked::default(), BytesMut::new(), Vec::new());
    let (mut rest, mut lengths) = (coded, pieces.iter().copied().cycle());
    loop {
        match decoder.take(&mut bytes)? {
            Piece::Data(piece) => data.extend_from_slice(&piece),
            Piece::End(trailers) => {
                bytes.extend_from_slice(rest);
                return Ok(Some((data, trailers.unwrap_or_default(), bytes.to_vec())));
            }
            Piece::Short if rest.is_empty() => return Ok(None),
            Piece::Short => {
                let (now, later) = rest.split_at(lengths.next().unwrap().min(rest.len()));
                bytes.extend_from_slice(now);
                rest = later;
            }
        }
    }
}

fn read_whole(coded: &[u8]) -> Result<Option<Read>, Broken> {
    read(coded, &[coded.len().max(1)])
}

#[test]
fn bodies_are_read_as_the_rfc_has_them() {
    for (coded, data, left) in [
        ("0\r\n\r\n", "", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", ""),
        ("5\r\nhello\r\n0\r\n\r\nHTTP/1.1", "hello", "HTTP/1.1"),
        ("1\r\nh\r\n0004\r\nello\r\n000\r\n\r\n", "hello", ""),
        ("A;name=value\r\n0123456789\r\n0;last\r\n\r\n", "0123456789", ""),
        ("a ; name=\"v;\"\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
        ("2  \r\nok\r\n0\r\n\r\n", "ok", ""),
    ] {
        let (got, trailers, rest) = read_whole(coded.as_bytes()).unwrap().unwrap();
        assert_eq!((got.as_slice(), rest.as_slice()), (data.as_bytes(), left.as_bytes()), "{coded:?}");
        assert!(trailers.is_empty());
    }
}

#[test]
fn trailers_come_with_the_end() {
    let coded = b"2\r\nok\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\nmore";
    let (data, trailers, rest) = read_whole(coded).unwrap().unwrap();
    assert_eq!((data.as_slice(), rest.as_slice()), (&b"ok"[..], &b"more"[..]));
    assert_eq!(trailers.get_all("x-sum").iter().collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn what_could_be_read_in_two_ways_is_broken() {
    let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(SIZE_LINE));
    let many = format!("0\r\n{}\r\n", "a: b\r\n".repeat(TRAILER_FIELDS + 1));
    let large = format!("0\r\na: {}", "b".repeat(TRAILERS));
    for coded in [
        "\r\n",
        "\n",
        "g\r\n",
        "-1\r\na\r\n",
        "+1\r\na\r\n",
        "0x1\r\na\r\n",
        " 1\r\na\r\n",
        "1 1\r\na\r\n",
        "1_0\r\n",
        "1\na\r\n",
        "1\r\na\n0\r\n\r\n",
        "1;a\nb\r\na\r\n",
        "1;a\rb\r\na\r\n",
        "1\r\r\na\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "10000000000000000\r\n",
        "ffffffffffffffffffff\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\n a: b\r\n\r\n",
        "0\r\na : b\r\n\r\n",
        "0\r\na: b\r\n folded\r\n\r\n",
        "0\r\n\n",
        "0\r\na: b\n\r\n",
        "0\r\na: \0\r\n\r\n",
        &long,
        &many,
        &large,
    ] {
        assert_eq!(read_whole(coded.as_bytes()), Err(Broken), "{coded:?}");
        assert_eq!(read(coded.as_bytes(), &[1]), Err(Broken), "{coded:?} byte by byte");
    }
}

#[test]
fn a_body_that_is_cut_short_has_no_end() {
    let whole = b"5\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for length in 0..whole.len() {
        assert_eq!(read_whole(&whole[..length]), Ok(None), "{length}");
    }
}

/// Chunks, each with the way its size is written.
fn coded() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let chunk =
        (proptest::collection::vec(any::<u8>(), 1..600), "0{0,3}", "( ?;[a-z=\"]{0,9})?", any::<bool>());
    proptest::collection::vec(chunk, 0..6).prop_map(|chunks| {
        let (mut coded, mut data) = (Vec::new(), Vec::new());
        for (bytes, zeros, extension, upper) in chunks {
            let size = if upper { format!("{:X}", bytes.len()) } else { format!("{:x}", bytes.len()) };
            coded.extend_from_slice(format!("{zeros}{size}{extension}\r\n").as_bytes());
            coded.extend_from_slice(&bytes);
            coded.extend_from_slice(b"\r\n");
            data.extend_from_slice(&bytes);
        }
        coded.extend_from_slice(b"0\r\n\r\n");
        (coded, data)
    })
}

proptest! {
    #[test]
    fn it_does_not_matter_how_a_body_is_cut((coded, data) in coded(), pieces in proptest::collection::vec(1_usize..80, 1..8)) {
        let mut with_next = coded.clone();
        with_next.extend_from_slice(b"next");
        let (got, trailers, rest) = read(&with_next, &pieces).unwrap().unwrap();
        prop_assert_eq!(got, data);
        prop_assert!(trailers.is_empty());
        prop_assert_eq!(rest, b"next");
    }

    #[test]
    fn noise_is_read_the_same_way_in_one_piece_and_in_many(
        noise in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'1'), Just(b';'), Just(b'a'), Just(b':'), Just(b' '), any::<u8>()], 0..60),
        pieces in proptest::collection::vec(1_usize..5, 1..4),
    ) {
        let (whole, cut) = (read_whole(&noise), read(&noise, &pieces));
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn a_changed_byte_of_the_frame_never_yields_other_data_as_if_it_were_right(at in 0_usize..12, byte: u8) {
        let mut coded = b"5\r\nhello\r\n0\r\n\r\n".to_vec();
        let frame = [0, 1, 2, 8, 9, 10, 11, 12, 13, 14];
        let index = frame[at % frame.len()];
        coded[index] = byte;
        if let Ok(Some((data, _, rest))) = read_whole(&coded) {
            // What still counts as whole has the same data, or ended where a zero was written.
            prop_assert!(data == b"hello" || (index == 0 && byte == b'0' && data.is_empty()), "{:?} {:?}", data, rest);
        }
    }
}
