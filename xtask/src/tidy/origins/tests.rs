use super::super::testing::{assert_clean, assert_found, house};
use super::check;

const HOST: &str = "registry+https://mirror.example.org/index";

#[test]
fn folders_of_a_machine_are_found_in_any_text() {
    let home = concat!("/ho", "me/lan");
    let work = concat!("/wo", "rk/main");
    let text = format!("见 `{home}/模型`\nclean\npath={work}\n\"{}\"\n", concat!("/ro", "ot"));
    let expected =
        [("docs/a.md", 1, "relative"), ("docs/a.md", 3, "relative"), ("docs/a.md", 4, "relative")];
    assert_found(&check(&house(&[("docs/a.md", &text)])), &expected);
}

#[test]
fn words_and_addresses_that_look_alike_are_accepted() {
    let text = format!(
        "net{work} https://example.org{home}/x a{root}b .{work}/ {root}fs {work}shop\n",
        work = concat!("/wo", "rk"),
        home = concat!("/ho", "me"),
        root = concat!("/ro", "ot"),
    );
    assert_clean(&check(&house(&[("docs/a.md", &text)])));
}

#[test]
fn golden_data_by_a_fixed_path_is_found() {
    let text = format!("const DIR: &str = \"{}/fixtures\";", concat!("..", "/..", "/shared"));
    let path = "crates/puyu-core/src/lib.rs";
    assert_found(&check(&house(&[(path, &text)])), &[(path, 1, "puyu_testkit::shared")]);
}

#[test]
fn a_registry_other_than_the_public_one_is_found() {
    let lock = format!("[[package]]\nname = \"a\"\nsource = \"{HOST}\"\n");
    let files = [("Cargo.lock", lock.as_str()), (".cargo/config.toml", "[alias]\n[source.x]\n")];
    let expected =
        [("Cargo.lock", 3, "not crates.io"), (".cargo/config.toml", 2, "chooses a registry")];
    assert_found(&check(&house(&files)), &expected);

    let public = format!("source = \"{}\"\n", super::PUBLIC_REGISTRY);
    assert_clean(&check(&house(&[("Cargo.lock", &public), (".cargo/config.toml", "[alias]\n")])));
}

#[test]
fn files_that_are_not_text_are_passed_over() {
    let folder = super::super::testing::folder(&[("a.txt", "ok")]);
    super::super::testing::write(folder.path(), "b.bin", &[0xFF, 0xFE, 0x00]);
    let tree = super::super::Tree::load(folder.path()).unwrap();
    let house = super::super::House { tree, workspace: Default::default() };
    assert_eq!(check(&house).n_items, 1);
}
