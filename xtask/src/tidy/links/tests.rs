use super::super::testing::{assert_clean, assert_found, house};
use super::{check, resolve};

#[test]
fn links_to_files_folders_and_elsewhere_are_accepted() {
    let text = "[a](STYLE.md) [b](./adr/0001.md#why) [目录](adr) [up](../README.md)\n\
                [web](https://example.org/x.md) [here](#标题) `[code](gone.md)`\n\
                ```\n[block](gone.md)\n```\n[name]: adr/0001.md\n";
    let files = [
        ("docs/GUIDE.md", text),
        ("docs/STYLE.md", ""),
        ("docs/adr/0001.md", ""),
        ("README.md", "![图](docs/STYLE.md \"title\")"),
    ];
    assert_clean(&check(&house(&files)));
}

#[test]
fn links_to_nothing_and_out_of_the_repository_are_found() {
    let text = "one\n[a](GONE.md) and [b](../../x.md)\n[c]: adr/缺.md\n";
    let expected = [
        ("docs/GUIDE.md", 2, "GONE.md"),
        ("docs/GUIDE.md", 2, "../../x.md"),
        ("docs/GUIDE.md", 3, "adr/缺.md"),
    ];
    assert_found(&check(&house(&[("docs/GUIDE.md", text)])), &expected);
}

#[test]
fn paths_are_resolved_from_the_folder_of_the_file() {
    assert_eq!(resolve("docs/a/b.md", "../c.md").as_deref(), Some("docs/c.md"));
    assert_eq!(resolve("README.md", "./docs/").as_deref(), Some("docs"));
    assert_eq!(resolve("README.md", "../x"), None);
}
