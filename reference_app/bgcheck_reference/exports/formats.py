"""Write a report as CSV, XLSX, PDF or HTML."""

import csv
import io
import re
from collections.abc import Callable

from font_roboto import font_files  # type: ignore[import-untyped]
from fpdf import FPDF, FontFace
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell
from openpyxl.cell.cell import Cell as SheetCell
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from bgcheck_reference.composing import TEMPLATES
from bgcheck_reference.exports.document import Cell, Document, Section
from bgcheck_reference.schemas_exports import ExportFormat

_FORMULA = re.compile(r"(^|[;\t\r\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
"""What may begin a formula: at the start, and where a spreadsheet may begin a new cell."""

_MAX_PDF_TEXT = 1000
"""The characters of one cell of a PDF, whose rows must fit on a page."""

_MAX_CELL = 32_767
"""The characters that Excel takes in one cell."""


def write(document: Document, file_format: ExportFormat) -> bytes:
    """Write a report in a format."""
    return _WRITERS[file_format](document)


def _write_csv(document: Document) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([_no_formula(document.title), document.period])
    for section in document.sections:
        writer.writerow([])
        writer.writerow([section.heading])
        writer.writerow(section.columns)
        writer.writerows([map(_no_formula, row) for row in section.rows])
    return file.getvalue().encode("utf-8-sig")  # without the mark Excel takes it for another code


def _no_formula(value: Cell) -> Cell:
    """Mark a text that looks like a formula as a text."""
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value


def _write_xlsx(document: Document) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.title = ILLEGAL_CHARACTERS_RE.sub("", document.title)
    for section in document.sections:
        _write_sheet(book.create_sheet(re.sub(r"\W*\(.*", "", section.heading)), document, section)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _write_sheet(sheet: Worksheet, document: Document, section: Section) -> None:
    sheet.column_dimensions["A"].width = sheet.column_dimensions["B"].width = 20
    sheet.append([_cell(sheet, f"{document.title}, {document.period}", bold=True)])
    sheet.append([_cell(sheet, section.heading)])
    sheet.append([_cell(sheet, column, bold=True) for column in section.columns])
    for row in section.rows:
        sheet.append([_cell(sheet, value) for value in row])


def _cell(sheet: Worksheet, value: Cell, *, bold: bool = False) -> SheetCell:
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)[:_MAX_CELL]
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"  # a text, also where it looks like a formula
    if bold:
        cell.font = Font(bold=True)
    return cell


class _Pdf(FPDF):
    """Pages with the title at the top and a number at the bottom."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.document = document
        self.add_font("Roboto", "", font_files["Roboto"])
        self.add_font("Roboto", "B", font_files["RobotoBold"])
        self.set_font("Roboto", size=10)
        self.set_title(document.title)
        self.set_auto_page_break(True, margin=18)
        self.set_draw_color(190)
        self.set_line_width(0.1)

    def header(self) -> None:
        """Write the title and the period."""
        self.set_font("Roboto", "B", 16)
        self.multi_cell(0, 8, self.document.title, new_x="LMARGIN", new_y="NEXT")
        self.set_font("Roboto", size=10)
        self.cell(0, 6, self.document.period, new_x="LMARGIN", new_y="NEXT")
        self.ln(4)

    def footer(self) -> None:
        """Write the number of the page."""
        self.set_y(-14)
        self.set_font("Roboto", size=8)
        self.cell(0, 6, f"{self.page_no()} / {{nb}}", align="C")


def _write_pdf(document: Document) -> bytes:
    pdf = _Pdf(document)
    pdf.add_page()
    for section in document.sections:
        pdf.set_font("Roboto", "B", 12)
        pdf.cell(0, 8, section.heading, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Roboto", size=9)
        _write_table(pdf, section)
        pdf.ln(6)
    return bytes(pdf.output())


def _write_table(pdf: FPDF, section: Section) -> None:
    widths = [3 if column in {"Name", "What", "User"} else 2 for column in section.columns]
    if section.columns[-1] == "Message":
        widths[-1] = 9
    head = FontFace(emphasis="BOLD", fill_color=(225, 232, 238))
    with pdf.table(
        col_widths=widths, headings_style=head, line_height=5.5, text_align="LEFT"
    ) as table:
        table.row(section.columns)
        for row in section.rows:
            table.row([_on_a_page(str(value)) for value in row])


def _on_a_page(text: str) -> str:
    """Make one paragraph of a text, without what is not visible, and cut it."""
    start = text[: 2 * _MAX_PDF_TEXT]
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in start).split())
    whole = len(text) <= len(start) and len(line) <= _MAX_PDF_TEXT
    return line if whole else f"{line[:_MAX_PDF_TEXT]} ..."


def _write_html(document: Document) -> bytes:
    return TEMPLATES.get_template("exports/report.html").render(document=document).encode()


_WRITERS: dict[ExportFormat, Callable[[Document], bytes]] = {
    ExportFormat.CSV: _write_csv,
    ExportFormat.XLSX: _write_xlsx,
    ExportFormat.PDF: _write_pdf,
    ExportFormat.HTML: _write_html,
}
