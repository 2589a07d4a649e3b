use super::super::testing::{assert_clean, assert_found, house};
use super::check;

const LIBRARY: &str = "crates/puyu-text/src/lib.rs";

#[test]
fn each_printing_macro_is_found_in_a_library() {
    let text =
        "fn a() {\n print!(\"你好\");\n println!();\n eprint!(\"\");\n eprintln!();\n dbg!(1);\n}";
    let lines = [(2, "print!"), (3, "println!"), (4, "eprint!"), (5, "eprintln!"), (6, "dbg!")];
    let expected = lines.map(|(line, part)| (LIBRARY, line, part));
    assert_found(&check(&house(&[(LIBRARY, text)])), &expected);
}

#[test]
fn documentation_tests_and_programs_may_print() {
    let text = "/// ```\n/// println!(\"浦语\");\n/// ```\nfn a() { let _ = \"println!()\"; }\n#[test]\nfn b() { println!(); }";
    let program = "fn main() { println!(\"hello\"); }";
    let files = [
        (LIBRARY, text),
        ("crates/puyu-text/src/main.rs", program),
        ("crates/puyu-text/src/bin/tool.rs", program),
        ("examples/chat.rs", program),
    ];
    assert_clean(&check(&house(&files)));
}
