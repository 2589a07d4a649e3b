use proptest::prelude::*;

use super::*;

/// Checks that tags nest and close, attributes are quoted and no bare `&` or `<` is left.
#[track_caller]
fn check_well_formed(svg: &str) {
    let tag = regex::Regex::new(r#"<(/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(/?)>"#).unwrap();
    let mut open: Vec<&str> = Vec::new();
    let mut at = 0;
    let text_is_clean = |text: &str| {
        let entity = regex::Regex::new(r"&(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);").unwrap();
        let rest = entity.replace_all(text, "");
        !rest.contains(['<', '&'])
            && !rest.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
    };
    for found in tag.captures_iter(svg) {
        let whole = found.get(0).unwrap();
        assert!(text_is_clean(&svg[at..whole.start()]), "{}", &svg[at..whole.start()]);
        assert!(text_is_clean(&found[3]), "{}", &found[3]);
        at = whole.end();
        match (&found[1], &found[4]) {
            ("/", _) => assert_eq!(open.pop(), Some(found.get(2).unwrap().as_str())),
            (_, "/") => {}
            _ => open.push(found.get(2).unwrap().as_str()),
        }
    }
    assert!(open.is_empty() && svg[at..].trim().is_empty(), "{open:?} {}", &svg[at..]);
    assert!(svg.starts_with("<svg "));
}

#[test]
fn columns_line_up_with_chinese_text() {
    let mut table = Table::new(["步骤 step", "保留"]).with_alignment([Align::Left, Align::Right]);
    table.push(["规则过滤", "44.7 %"]);
    table.push(["language\nid", "9 %"]);
    table.push(["ｆｕｌｌ｜🙂"]);
    let text = table.to_string();
    let widths: Vec<usize> = text.lines().map(width).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
    assert_eq!((table.len(), text.lines().count()), (3, 5));
}

#[test]
fn retention_bars_say_names_and_values() {
    let rows = [("提取 extract", 100.0), ("规则 & <rules>", 44.72), ("去重", 12.0)];
    let rows: Vec<_> = rows.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let svg = bars("万卷 WanJuan-CC “保留率”", "%", &rows);
    check_well_formed(&svg);
    for expected in
        ["提取 extract", "规则 &amp; &lt;rules&gt;", "44.7 %", "12 %", "Noto Sans CJK SC"]
    {
        assert!(svg.contains(expected), "{expected} not in {svg}");
    }
}

#[test]
fn histograms_and_lines_are_drawn_over_any_range() {
    for scale in [Scale::Linear, Scale::Log] {
        for values in [vec![], vec![5.0], vec![0.0, -1.0, f64::NAN, 1e300], vec![1.0, 10.0, 1e6]] {
            let svg = histogram("长度 <chars>", &values, 20, scale);
            check_well_formed(&svg);
            let points = values.iter().map(|v| (*v, *v)).collect();
            let svg = lines("曲线 & lines", &[Series { name: "损失".to_owned(), points }], scale);
            check_well_formed(&svg);
            assert!(svg.contains("损失"));
        }
    }
    let svg = histogram("n", &[1.0, 10.0, 100.0, 1000.0, 10_000.0], 5, Scale::Log);
    assert!(svg.contains("10k") || svg.contains("1k"), "{svg}");
}

proptest! {
    #[test]
    fn any_label_gives_well_formed_svg(label in ".{0,12}", value in any::<f64>()) {
        check_well_formed(&bars(&label, &label, &[(label.clone(), value)]));
    }
}
