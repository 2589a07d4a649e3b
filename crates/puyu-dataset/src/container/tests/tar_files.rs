use super::*;

/// A tar file out of names and contents.
fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Straight into the header: the crate refuses names that leave the folder.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn read_tar(bytes: &[u8], options: &ReadOptions) -> Vec<Item> {
    let (_folder, path) = file("a.tar", bytes);
    read(&path, options)
}

#[test]
fn consecutive_members_with_one_key_are_one_sample() {
    let bytes = tar_of(&[
        ("a/诗.JPG", b"1"),
        ("a/诗.seg.png", b"2"),
        ("readme", b"no extension"),
        (".hidden", b"no stem"),
        ("b/诗.jpg", b"3"),
        ("a/诗.txt", b"4"),
        ("../../etc/passwd.txt", b"5"),
    ]);
    let items = read_tar(&bytes, &ReadOptions::default());
    assert_eq!(
        texts(&items),
        [
            "a/诗: jpg b\"1\", seg.png b\"2\"",
            "b/诗: jpg b\"3\"",
            "a/诗: txt b\"4\"",
            "../../etc/passwd: txt b\"5\"",
        ]
    );
    let Item::Row { offset, .. } = items[0] else { panic!() };
    assert_eq!(offset, Some(512));
}

#[test]
fn a_sample_beyond_the_limit_is_a_fault_and_reading_goes_on() {
    let big = vec![b'x'; 5000];
    let bytes = tar_of(&[
        ("a.txt", b"1"),
        ("b.txt", b"2"),
        ("b.bin", &big),
        ("b.json", b"3"),
        ("c.txt", b"4"),
    ]);
    for chunk_bytes in [1, 1 << 20] {
        let options = ReadOptions { max_row_bytes: 2000, chunk_bytes, ..Default::default() };
        let items = read_tar(&bytes, &options);
        assert_eq!(kinds(&items), [(2, FaultKind::Size)]);
        assert_eq!(texts(&items), ["a: txt b\"1\"", "c: txt b\"4\""]);
    }
}

#[test]
fn an_extension_twice_is_a_fault() {
    let bytes = tar_of(&[("a.txt", b"1"), ("a.TXT", b"2"), ("b.txt", b"3")]);
    let items = read_tar(&bytes, &ReadOptions::default());
    assert_eq!(kinds(&items), [(1, FaultKind::DuplicateKey)]);
    assert_eq!(n_rows(&items), 1);
}

#[test]
fn a_cut_file_keeps_its_whole_samples() {
    let bytes = tar_of(&[("a.txt", b"1"), ("b.txt", &[b'x'; 3000]), ("c.txt", b"3")]);
    for (cut, good) in [(1024 + 100, 0), (1024 + 512, 1), (1024 + 1000, 1)] {
        let items = read_tar(&bytes[..cut], &ReadOptions::default());
        assert_eq!(kinds(&items), [(good + 1, FaultKind::Truncated)], "cut at {cut}");
        assert_eq!(n_rows(&items) as u64, good, "cut at {cut}");
    }
    // Between two members nothing is missing but the end marks, as many writers leave it.
    assert_eq!(read_tar(&bytes[..1024], &ReadOptions::default()).len(), 1);
}

#[test]
fn a_damaged_header_ends_the_file_with_one_fault() {
    let mut bytes = tar_of(&[("a.txt", b"1"), ("b.txt", b"2"), ("c.txt", b"3")]);
    bytes[2 * 1024] ^= 0xff;
    let items = read_tar(&bytes, &ReadOptions::default());
    assert_eq!(kinds(&items), [(2, FaultKind::Container)]);
    assert_eq!(texts(&items), ["a: txt b\"1\""]);
}

#[test]
fn a_name_of_endless_length_is_refused() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    let name = vec![b'n'; 3 << 20];
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(name.len() as u64);
    header.set_cksum();
    builder.append(&header, &name[..]).unwrap();
    let items = read_tar(&builder.into_inner().unwrap(), &ReadOptions::default());
    assert_eq!(kinds(&items), [(1, FaultKind::Container)]);
}
