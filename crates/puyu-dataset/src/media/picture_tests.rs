use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};
use proptest::prelude::*;
use puyu_testkit::shared;

use super::*;
use crate::record::{ImageText, Interleaved, Part};
use crate::{FaultKind, RawRow, Record};

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

fn shown(bytes: &[u8]) -> Picture {
    decode(bytes, &PictureOptions::default()).unwrap()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A picture without symmetries.
fn gradient(width: u32, height: u32) -> Picture {
    let pixel = |at: u32| {
        let (x, y) = (at % width, at / width);
        [(x * 37 + y * 11) as u8, (x * 5 + 90) as u8, (y * 29) as u8]
    };
    Picture::from_rgb(width, height, (0..width * height).flat_map(pixel).collect()).unwrap()
}

#[track_caller]
fn refused(bytes: &[u8], options: &PictureOptions, reason: &str) {
    let fault = decode(bytes, options).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Media);
    assert!(fault.to_string().contains(reason), "{fault}");
}

/// A PNG of no content that claims a size.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut png = encoded(&DynamicImage::new_rgb8(1, 1), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    png
}

/// A lossless WebP whose header claims a size of at most 16 384 x 16 384.
fn webp_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut webp = encoded(&DynamicImage::new_rgb8(1, 1), ImageFormat::WebP);
    assert_eq!(&webp[12..16], b"VP8L");
    let bits = (width - 1) | ((height - 1) << 14);
    webp[21..25].copy_from_slice(&bits.to_le_bytes());
    webp
}

#[test]
fn sizes_agree_with_the_captions_of_the_corpus() {
    let Some(root) = shared("corpus/image_caption") else { return };
    let captions = String::from_utf8(read(root.join("captions.jsonl"))).unwrap();
    for line in captions.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let bytes = read(root.join(row["file_name"].as_str().unwrap()));
        let info = probe(&bytes).unwrap();
        let expected = (row["width"].as_u64().unwrap(), row["height"].as_u64().unwrap());
        assert_eq!((u64::from(info.width), u64::from(info.height)), expected, "{line}");
        let picture = shown(&bytes);
        assert_eq!((picture.width(), picture.height()), (info.width, info.height), "{line}");
        assert_eq!(picture.for_vision_tower(224).unwrap().len(), 3 * 224 * 224);
    }
}

#[test]
fn a_picture_of_an_interleaved_sample_keeps_its_place_and_caption() {
    let Some(root) = shared("corpus/wanjuan/image_text_local") else { return };
    let rows = read(root.join("part-000000.jsonl"));
    let mut seen = 0;
    for line in rows.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let document = ImageText::decode(RawRow::Json(line)).unwrap();
        let (sample, _) = Interleaved::from_wanjuan(&document);
        let mut decoded = Vec::new();
        for (place, part) in sample.parts.iter().enumerate() {
            let Part::Image(image) = part else { continue };
            let picture = shown(&read(root.join(&image.source)));
            assert_eq!(Some(picture.width()), image.width, "{}", image.source);
            assert_eq!(Some(picture.height()), image.height, "{}", image.source);
            let listed = document.img_list.iter().find(|listed| listed.url == image.source);
            assert_eq!(listed.map(|listed| listed.caption.as_str()), Some(image.caption.as_str()));
            decoded.push((place, picture));
        }
        // In the text, each picture stands behind exactly the text that the source has before it.
        for (place, _) in &decoded {
            let Part::Image(image) = &sample.parts[*place] else { unreachable!() };
            let before = document.content.find(&image.source).unwrap();
            let mut texts = sample.parts[..*place].iter().filter_map(|part| match part {
                Part::Text { text } => Some(text.as_str()),
                Part::Image(_) => None,
            });
            let last = texts.next_back().unwrap_or_default();
            assert!(document.content[..before].contains(last));
        }
        seen += decoded.len();
    }
    assert_eq!(seen, 6);
}

#[test]
fn a_header_that_claims_too_much_is_refused_before_memory_is_asked_for() {
    let default = PictureOptions::default();
    let bomb = png_claiming(60_000, 60_000);
    assert_eq!(probe(&bomb).unwrap().width, 60_000);
    refused(&bomb, &default, "at most 64000000 pixels, found 60000 x 60000");
    refused(&webp_claiming(16_000, 16_000), &default, "found 16000 x 16000");
    refused(&png_claiming(70_000, 1), &default, "sides of at most 65535 pixels");
    refused(&png_claiming(0, 7), &default, "");
    // Within the limits but without the content: an error, no half picture.
    refused(&png_claiming(2_000, 2_000), &default, "");
    let small = PictureOptions { max_bytes: 10, ..default };
    refused(&bomb, &small, "at most 10 bytes");
}

#[test]
fn what_is_no_picture_is_told_so() {
    for bytes in [&b""[..], b"\xff", "网页".as_bytes(), b"GIF89a\x01\0\x01\0", b"RIFF\0\0\0\0WEBP"]
    {
        refused(bytes, &PictureOptions::default(), "expected a");
        assert!(probe(bytes).is_err());
    }
}

#[test]
fn transparent_parts_become_white_and_gray_and_16_bits_become_rgb() {
    let rgba =
        image::RgbaImage::from_raw(3, 1, vec![10, 20, 30, 255, 0, 0, 0, 0, 0, 100, 200, 128]);
    let png = encoded(&DynamicImage::ImageRgba8(rgba.unwrap()), ImageFormat::Png);
    // 100 * 128 / 255 + 127 = 177.2, 200 * 128 / 255 + 127 = 227.4.
    assert_eq!(shown(&png).as_rgb(), [10, 20, 30, 255, 255, 255, 127, 177, 227]);

    let gray = image::ImageBuffer::from_raw(2, 1, vec![0u16, 65_535]).unwrap();
    let png = encoded(&DynamicImage::ImageLuma16(gray), ImageFormat::Png);
    assert_eq!(shown(&png).as_rgb(), [0, 0, 0, 255, 255, 255]);

    let gray = image::GrayImage::from_raw(1, 1, vec![77]).unwrap();
    let jpeg = encoded(&DynamicImage::ImageLuma8(gray), ImageFormat::Jpeg);
    assert_eq!(probe(&jpeg).unwrap().format, PictureFormat::Jpeg);
    assert_eq!(shown(&jpeg).as_rgb(), [77, 77, 77]);
}

#[test]
fn lossless_formats_give_back_the_pixels() {
    let picture = gradient(31, 17);
    let buffer = image::RgbImage::from_raw(31, 17, picture.as_rgb().to_vec()).unwrap();
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        assert_eq!(shown(&encoded(&DynamicImage::ImageRgb8(buffer.clone()), format)), picture);
    }
}

#[test]
fn the_orientation_that_a_camera_noted_is_applied() {
    let mut raw = vec![255; 16 * 8 * 3];
    raw.chunks_exact_mut(16 * 3).for_each(|row| row[..8 * 3].fill(0));
    let left_black = image::RgbImage::from_raw(16, 8, raw).unwrap();
    let jpeg = encoded(&DynamicImage::ImageRgb8(left_black), ImageFormat::Jpeg);
    // TIFF, big-endian, one entry: orientation (0x112), one short, 6 = turn right.
    let tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut with_exif = vec![0xFF, 0xD8, 0xFF, 0xE1];
    with_exif.extend((tiff.len() as u16 + 2).to_be_bytes());
    with_exif.extend(tiff);
    with_exif.extend(&jpeg[2..]);
    let picture = shown(&with_exif);
    assert_eq!((picture.width(), picture.height()), (8, 16));
    assert!(picture.pixel(4, 2).unwrap()[0] < 20, "black is above");
    assert!(picture.pixel(4, 13).unwrap()[0] > 235, "white is below");
}

fn corpus_files() -> Vec<PathBuf> {
    let Some(root) = shared("corpus/image_caption/images") else { return Vec::new() };
    let mut files: Vec<_> = root.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A small picture of each form, so that hundreds of damaged copies cost little.
fn small_files() -> Vec<Vec<u8>> {
    let rgb = image::RgbImage::from_raw(24, 16, gradient(24, 16).into_rgb()).unwrap();
    let rgb = DynamicImage::ImageRgb8(rgb);
    let rgba = DynamicImage::ImageRgba8(rgb.to_rgba8());
    vec![
        encoded(&rgb, ImageFormat::Png),
        encoded(&rgba, ImageFormat::Png),
        encoded(&rgb, ImageFormat::Jpeg),
        encoded(&rgb, ImageFormat::WebP),
        encoded(&rgba, ImageFormat::WebP),
    ]
}

#[test]
fn damaged_pictures_are_faults_or_pictures_and_never_a_panic() {
    let options = PictureOptions { max_pixels: 4_000_000, ..PictureOptions::default() };
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut damage = |whole: &[u8], copies: usize| {
        for copy in 0..copies {
            let mut bytes = whole.to_vec();
            // Half of the damage goes into the header, where the sizes and tables are.
            let reach = if copy % 2 == 0 { bytes.len().min(200) } else { bytes.len() };
            for _ in 0..1 + random(4) {
                let at = random(reach);
                bytes[at] = random(256) as u8;
            }
            let _ = probe(&bytes);
            let _ = decode(&bytes, &options);
        }
    };
    small_files().iter().for_each(|file| damage(file, 400));
    corpus_files().iter().for_each(|file| damage(&read(file), 10));
}

#[test]
fn a_picture_that_is_cut_off_is_refused() {
    for whole in small_files() {
        for length in (0..whole.len() - 12).step_by(3) {
            assert!(decode(&whole[..length], &PictureOptions::default()).is_err(), "{length}");
        }
    }
    for path in corpus_files() {
        let whole = read(&path);
        for part in [2, 10, 50, 90, 99] {
            let cut = &whole[..whole.len() * part / 100];
            assert!(decode(cut, &PictureOptions::default()).is_err(), "{path:?} {part} %");
        }
    }
}

/// The definition of a convolution resize: along one axis, in f64, with the given kernel.
fn scalar_axis(line: &[f64], length: usize, radius: f64, kernel: fn(f64) -> f64) -> Vec<f64> {
    let scale = line.len() as f64 / length as f64;
    let stretch = scale.max(1.0);
    let at = |target: usize| {
        let center = (target as f64 + 0.5) * scale;
        let weight = |source: usize| {
            let distance = (source as f64 + 0.5 - center) / stretch;
            if distance.abs() <= radius { kernel(distance) } else { 0.0 }
        };
        let (mut sum, mut total) = (0.0, 0.0);
        for (source, value) in line.iter().enumerate() {
            sum += weight(source) * value;
            total += weight(source);
        }
        sum / total
    };
    (0..length).map(at).collect()
}

fn scalar_resize(picture: &Picture, size: (usize, usize), filter: Filter) -> Vec<f64> {
    let (radius, kernel): (f64, fn(f64) -> f64) = match filter {
        Filter::Box => (0.5, |x| if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 }),
        _ => (1.0, |x| (1.0 - x.abs()).max(0.0)),
    };
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let mut result = vec![0.0; size.0 * size.1 * 3];
    for channel in 0..3 {
        let value = |x: usize, y: usize| f64::from(picture.as_rgb()[3 * (y * w + x) + channel]);
        let rows: Vec<Vec<f64>> = (0..h)
            .map(|y| {
                scalar_axis(
                    &(0..w).map(|x| value(x, y)).collect::<Vec<_>>(),
                    size.0,
                    radius,
                    kernel,
                )
            })
            .collect();
        for x in 0..size.0 {
            let column: Vec<f64> = rows.iter().map(|row| row[x]).collect();
            for (y, value) in scalar_axis(&column, size.1, radius, kernel).into_iter().enumerate() {
                result[3 * (y * size.0 + x) + channel] = value;
            }
        }
    }
    result
}

/// Two passes that each round to a byte, with weights of 16-bit fixed point.
const RESIZE_TOLERANCE: f64 = 1.6;

#[test]
fn resizing_agrees_with_its_definition() {
    // Box with whole steps only: at half steps the edge pixel belongs to either side.
    let cases = [
        (gradient(40, 30), (20, 10), Filter::Box),
        (gradient(33, 27), (11, 9), Filter::Box),
        (gradient(40, 30), (20, 15), Filter::Bilinear),
        (gradient(41, 29), (17, 23), Filter::Bilinear),
        (gradient(7, 5), (31, 16), Filter::Bilinear),
        (gradient(1, 9), (4, 3), Filter::Bilinear),
    ];
    for (picture, size, filter) in cases {
        let resized = picture.resize(size.0, size.1, filter).unwrap();
        let expected = scalar_resize(&picture, (size.0 as usize, size.1 as usize), filter);
        for (at, (&found, expected)) in resized.as_rgb().iter().zip(expected).enumerate() {
            let error = (f64::from(found) - expected).abs();
            assert!(error <= RESIZE_TOLERANCE, "{picture:?} {size:?} {filter:?} {at}: {error}");
        }
    }
}

#[test]
fn the_shorter_side_and_the_middle_are_as_asked_for() {
    let picture = gradient(60, 40);
    let wide = picture.resize_shortest(20, Filter::Bicubic).unwrap();
    assert_eq!((wide.width(), wide.height()), (30, 20));
    let middle = picture.center_crop(20, 100).unwrap();
    assert_eq!((middle.width(), middle.height()), (20, 40));
    assert_eq!(middle.pixel(0, 0), picture.pixel(20, 0));
    assert_eq!(middle.pixel(19, 39), picture.pixel(39, 39));
    assert!(picture.center_crop(0, 4).is_err());
    assert!(picture.resize(4, 0, Filter::Box).is_err());
    let error = gradient(1, 600).resize_shortest(4_000, Filter::Box).unwrap_err();
    assert!(error.to_string().contains("the limit is 64000000"), "{error}");
}

#[test]
fn the_planes_of_a_vision_tower_are_normalised_per_channel() {
    let picture = gradient(8, 8);
    let planes = picture.for_vision_tower_with(8, &Normalisation::IMAGENET).unwrap();
    let Normalisation { mean, std } = Normalisation::IMAGENET;
    for (channel, (x, y)) in [(0, (3, 1)), (1, (7, 0)), (2, (2, 6))] {
        let byte = f32::from(picture.pixel(x, y).unwrap()[channel]);
        let expected = (byte / 255.0 - mean[channel]) / std[channel];
        let found = planes[channel * 64 + (y * 8 + x) as usize];
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    let broken = Normalisation { std: [0.0; 3], ..Normalisation::CLIP };
    assert!(picture.for_vision_tower_with(8, &broken).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_plain_picture_stays_plain_in_every_size(
        color: [u8; 3], from in (1u32..50, 1u32..50), to in (1u32..50, 1u32..50),
    ) {
        let rgb = color.repeat((from.0 * from.1) as usize);
        let picture = Picture::from_rgb(from.0, from.1, rgb).unwrap();
        for filter in [Filter::Nearest, Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos] {
            let resized = picture.resize(to.0, to.1, filter).unwrap();
            prop_assert_eq!((resized.width(), resized.height()), to);
            for pixel in resized.as_rgb().chunks_exact(3) {
                for (found, expected) in pixel.iter().zip(color) {
                    prop_assert!(found.abs_diff(expected) <= 1, "{} {}", found, expected);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, &PictureOptions::default());
    }
}
