use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use puyu_testkit::{TempDir, shared};

use super::*;

/// The only number that a query gives.
#[track_caller]
fn number(sql: &Sql, query: &str) -> i64 {
    let batches = sql.query(query).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1, "{query}");
    batches
        .iter()
        .find(|batch| batch.num_rows() == 1)
        .unwrap()
        .column(0)
        .as_primitive::<Int64Type>()
        .value(0)
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn files_of_one_table_are_read_together_and_absent_columns_are_null() {
    let folder = TempDir::new().unwrap();
    let paths = [
        write(&folder, "a.jsonl", "{\"id\": \"1\", \"content\": \"春晓\"}\n{\"id\": \"2\"}\n"),
        write(&folder, "b.jsonl", "{\"id\": \"3\", \"score\": 0.5, \"content\": \"spring\"}\n"),
    ];
    let sql = Sql::new(2).unwrap();
    sql.register("t", &paths).unwrap();
    assert_eq!(number(&sql, "SELECT count(*) FROM t"), 3);
    assert_eq!(number(&sql, "SELECT count(content) FROM t"), 2);
    assert_eq!(number(&sql, "SELECT count(score) FROM t"), 1);
    assert_eq!(number(&sql, "SELECT count(*) FROM t WHERE content = '春晓'"), 1);
}

#[test]
fn the_same_poems_give_the_same_answers_from_every_container() {
    let Some(folder) = shared("corpus/wanjuan/shaped/parquet") else { return };
    let sql = Sql::new(2).unwrap();
    let tables = [
        ("arrow", "poetry-cn.arrow"),
        ("snappy", "poetry-cn_snappy_dict.parquet"),
        ("zstd", "poetry-cn_zstd.parquet"),
    ];
    let counts = tables.map(|(table, file)| {
        sql.register(table, &[folder.join(file)]).unwrap();
        let long = format!("SELECT count(*) FROM {table} WHERE character_length(content) > 60");
        (number(&sql, &format!("SELECT count(*) FROM {table}")), number(&sql, &long))
    });
    assert!(counts[0].1 > 0 && counts[0].1 < counts[0].0, "{counts:?}");
    // Poems of one collection: fewest in the snappy file, most in the zstd file.
    assert!(counts[1].0 > 0 && counts[1].0 <= counts[0].0, "{counts:?}");
    assert!(counts[1].1 > 0 && counts[1].1 <= counts[0].1, "{counts:?}");
    assert!(counts[2].0 >= counts[0].0 && counts[2].1 >= counts[0].1, "{counts:?}");
}

#[test]
fn what_cannot_be_a_table_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let sql = Sql::new(1).unwrap();
    let good = write(&folder, "好.jsonl", "{\"id\": 1}\n");
    let none = sql.register("t", &[]).unwrap_err().to_string();
    assert_eq!(none, "option `paths`: expected at least one file, found none");
    assert!(sql.register("t", &[folder.path().join("没有.jsonl")]).is_err());
    sql.register("t", &[good]).unwrap();
    let error = sql.query("SELECT wrong FROM t").unwrap_err();
    assert!(format!("{:?}", error).contains("wrong"), "{error:?}");
    assert!(sql.query("这不是 SQL").is_err());
}

#[test]
fn a_bad_row_stops_the_query_with_its_place() {
    let folder = TempDir::new().unwrap();
    let mut text = "{\"id\": 1}\n".repeat(2000);
    text.push_str("{\"id\": \"坏\n");
    let sql = Sql::new(1).unwrap();
    sql.register("t", &[write(&folder, "坏.jsonl", &text)]).unwrap();
    let error = sql.query("SELECT sum(id) FROM t").unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("row 2001"), "{source}");
}
