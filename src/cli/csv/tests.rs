use super::*;

const TWO: Layout = Layout { required: &["a", "b"], optional: &["c"], added: &["z"] };

fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn open(content: impl AsRef<[u8]>) -> Outcome<CsvFile> {
    let (_folder, path) = file(content);
    CsvFile::open(&path, TWO)
}

/// What each row is: its line with the cells, or with the fault.
fn rows(content: impl AsRef<[u8]>) -> Vec<String> {
    let (_folder, path) = file(content);
    let file = CsvFile::open(&path, TWO).unwrap();
    let mut rows = file.rows().unwrap();
    let mut out = Vec::new();
    while let Some(row) = rows.next() {
        out.push(match row {
            Ok(row) => format!(
                "{}:{}|{}|{}",
                row.line,
                row.text("a").escape_debug(),
                row.text("b"),
                row.text("c")
            ),
            Err(fault) => fault.to_string(),
        });
    }
    out
}

#[test]
fn lines_are_those_of_the_file() {
    assert_eq!(rows("a,b\n1,2\n\n3,4\n"), ["2:1|2|", "4:3|4|"]);
    assert_eq!(rows("a,b\r\n1,2\r\n\r\n3,4\r\n"), ["2:1|2|", "4:3|4|"]);
    assert_eq!(rows("a,b\n\"1\nx\n\",2\n3,4"), ["2:1\\nx\\n|2|", "5:3|4|"]);
    assert_eq!(rows("\u{feff}b,c,a\r\n1,\"2\"\"\",3\r\n"), ["2:3|1|2\""]);
}

#[test]
fn a_bad_row_does_not_spoil_the_others() {
    assert_eq!(
        rows("a,b\n1\n1,2\n1,2,3\n"),
        [
            "line 2: INVALID_ROW: 1 columns instead of 2",
            "3:1|2|",
            "line 4: INVALID_ROW: 3 columns instead of 2",
        ]
    );
    let open = rows("a,b\n\"1,2\n3,4\n");
    assert!(open[0].starts_with("line 2: INVALID_ROW: ") && open[0].contains("left open"));
}

#[test]
fn faults_of_the_header_name_file_and_line() {
    for (content, fault) in [
        ("a,b,qty\n", "f.csv:1: unknown column \"qty\"; the columns are a,b,c"),
        ("a,c\n", "f.csv:1: column b is missing; the columns are a,b,c"),
        ("a,b,a\n", "f.csv:1: column a stands twice in the header"),
        ("", "f.csv:1: the file is empty; its first line must name the columns"),
        ("a;b\n", "f.csv:1: unknown column \"a;b\""),
    ] {
        let failure = open(content).err().unwrap();
        assert_eq!(failure.reason, "INVALID_FILE");
        assert!(failure.message.contains(fault), "{failure}");
    }
}

#[test]
fn other_encodings_are_refused_with_their_line() {
    let failure = open(b"a,b\n1,2\n\xd1and\xfa,3\n").err().unwrap();
    assert!(failure.message.contains("f.csv:3: not UTF-8"), "{failure}");
    let failure = open(b"a,b\n1,\xc3").err().unwrap();
    assert!(failure.message.contains("f.csv:2: not UTF-8"), "{failure}");
    let wide: Vec<u8> = "a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(open(wide).is_err());
}

#[test]
fn characters_cut_by_the_buffer_are_whole() {
    let long = format!("a,b\n{}", "ñ,€\n".repeat(60_000));
    for shift in 0..3 {
        let content = format!("{}{long}", "\n".repeat(shift));
        assert_eq!(rows(&content).len(), 60_000);
    }
}

#[test]
fn the_same_content_has_the_same_hash() {
    assert_eq!(open("a,b\n").unwrap().hash, open("a,b\n").unwrap().hash);
    assert_ne!(open("a,b\n").unwrap().hash, open("a,b\n\n").unwrap().hash);
}

/// Reads the first row after `header`.
fn first<T>(
    layout: Layout,
    content: &str,
    read: impl Fn(&Row<'_>) -> Result<T, RowFault>,
) -> Result<T, RowFault> {
    let (_folder, path) = file(content);
    let file = CsvFile::open(&path, layout).unwrap();
    let mut rows = file.rows().unwrap();
    let row = rows.next().unwrap()?;
    read(&row)
}

#[test]
fn a_listing_reads_with_its_certificates() {
    let header = "sku,seller_cuit,title,ncm,gtin,channel,unit,statistical_unit,\
                  statistical_factor,price,currency,certificates\n";
    let row = format!(
        "{header}W-1,30-50001091-2,\"Malbec, 750 ml\",2204.21.00,,OFFICIAL_STORE,C62,LTR,0.75,\
         18.5,USD,INV:A:1:2028-02-28;SENASA:9:2027-01-01\n"
    );
    let listing = first(listings::LAYOUT, &row, listings::read).unwrap().listing.unwrap();
    assert_eq!(listing.title, "Malbec, 750 ml");
    assert_eq!(listing.certificates.len(), 2);
    assert_eq!(listing.certificates[0].number, "A:1");
    let fault = first(listings::LAYOUT, &row.replace("INV:", "INB:"), listings::read).unwrap_err();
    assert_eq!((fault.line, fault.column.as_str()), (2, "certificates"));
}

#[test]
fn a_sale_line_keeps_its_numbers_as_written() {
    let header = "line_id,order_id,kind,original_line_id,sku,quantity,unit_price,currency,\
                  sold_at,destination,declaration\n";
    let row = format!("{header}L1,O1,SALE,,W-1,6,12.3450,CNY,2026-11-11T00:00:03+08:00,CN-SH,\n");
    let line = first(sales::LAYOUT, &row, sales::read).unwrap();
    assert_eq!((line.unit_price.as_str(), line.quantity.as_str()), ("12.3450", "6"));
    let fault = first(sales::LAYOUT, &row.replace("SALE", "SOLD"), sales::read).unwrap_err();
    assert_eq!(
        fault.to_string().split(": ").take(3).collect::<Vec<_>>().join(": "),
        "line 2: kind: INVALID_FIELD"
    );
}

#[test]
fn an_exporter_may_leave_out_what_is_optional() {
    let row = "cuit,legal_name,size_class,province,status,valid_from,ncm_chapters\n\
               30500010912,Ejemplo SA,MICRO,AR-M,ELIGIBLE,2024-01-01,22;08\n";
    let exporter = first(exporters::LAYOUT, row, exporters::read).unwrap();
    assert_eq!(exporter.row, 2);
    assert_eq!(exporter.fact.unwrap().ncm_chapters, ["22", "08"]);
    let fault =
        first(exporters::LAYOUT, &row.replace("2024-01-01", ""), exporters::read).unwrap_err();
    assert_eq!((fault.column.as_str(), fault.message.as_str()), ("valid_from", "must be given"));
}

#[test]
fn a_reference_row_reads_with_its_attributes() {
    let row = "code,title_es,title_en,attributes,valid_from,valid_to\n\
               2204.21.00,Vino,Wine,leaf=true;unit=LTR,2022-04-01,\n";
    let row = first(reference::LAYOUT, row, reference::read).unwrap();
    assert_eq!(row.attributes["unit"], "LTR");
    assert!(row.valid_from.is_some() && row.valid_to.is_none());
}

#[test]
fn a_declaration_and_a_shipment_read_by_their_columns() {
    let row = "declaration,item,exporter_cuit,declarant_cuit,sku,ncm,destination,incoterm,\
               declared_quantity,statistical_unit,fob,currency,officialised_on\n\
               18817EC08028500L,12,30-50001091-2,,W-1,2204.21.00,CN,FOB,7200.50,LTR,98400.00,USD,\
               2018-05-02\n";
    let read = |row: &str| first(declarations::LAYOUT, row, declarations::read);
    let declaration = read(row).unwrap().declaration.unwrap();
    assert_eq!((declaration.number.as_str(), declaration.items[0].item), ("18817EC08028500L", 12));
    let quantity = declaration.items[0].declared_quantity.clone().unwrap();
    assert_eq!(quantity.value, "7200.50");
    for (wrong, column) in [
        (row.replace("FOB", "FOT"), "incoterm"),
        (row.replace(",12,", ",0,"), "item"),
        (row.replace("7200.50", "7.200,50"), "declared_quantity"),
        (row.replace("2018-05-02", "02/05/2018"), "officialised_on"),
    ] {
        // A comma in a cell that is not quoted is one cell more.
        let fault = read(&wrong).unwrap_err();
        assert!(fault.column == column || fault.reason == "INVALID_ROW", "{fault}");
    }

    let row = "declaration,item,shipped_quantity,shipped_on,post_shipment\n\
               18817EC08028500L,12,3600,2018-06-01,true\n";
    let read = |row: &str| first(shipments::LAYOUT, row, shipments::read);
    let shipment = read(row).unwrap();
    assert_eq!(shipment.declaration, "declarations/18817EC08028500L");
    assert!(shipment.shipment.unwrap().post_shipment);
    assert_eq!(read(&row.replace("true", "yes")).unwrap_err().column, "post_shipment");
}

#[test]
fn faults_of_the_gateway_are_told_by_column() {
    for (field, column) in [
        ("declaration.number", "declaration"),
        ("declaration.items[0].declared_quantity", "declared_quantity"),
        ("declaration.items[0].listing", "sku"),
        ("declaration.incoterm", "incoterm"),
        ("row", "row"),
    ] {
        assert_eq!(declarations::column(field), column);
    }
    assert_eq!(shipments::column("shipment.quantity"), "shipped_quantity");
    assert_eq!(shipments::column("declaration"), "declaration");
}
