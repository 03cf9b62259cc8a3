package htmlreport

import "time"

// Page is a report.
type Page struct {
	Lang     string // of its texts (BCP 47); none: "en"
	Title    string
	Subtitle string
	Facts    Facts // about the report, below its title
	Sections []Section
	Footer   string
}

// Section is a part under a heading. It may have parts of its own, two levels deep.
type Section struct {
	ID       string // to link to: ASCII letters, digits and '-', once in a page
	Title    string
	Blocks   []Block
	Sections []Section
	Break    bool // on paper, a new page begins after it
}

// Block is something in a section: a [Paragraph], [List], [Facts], [Table], [Callout], [Listing], [Bars], [Timeline],
// [Calendar], [Curve] or [Strip].
type Block interface{ kind() string }

// Paragraph is running text.
type Paragraph Text

// List is a list of texts.
type List []Text

// Facts are labels with their values.
type Facts []Fact

// Fact is one of [Facts].
type Fact struct {
	Label string
	Value Text
}

// Table is a table whose first column names the rows.
type Table struct {
	Caption string
	Columns []Column
	Rows    [][]Text // each as long as Columns
	Foot    []Text   // sums; none, or as long as Columns
}

// Column is a column of a [Table].
type Column struct {
	Title   string
	Numbers bool // aligned as numbers are
	Short   bool // its texts are never divided between lines: dates, marks
}

// Callout is a text that must not be overlooked.
type Callout struct {
	Tone  Tone
	Title string
	Text  Text
}

// Listing is text that is shown as it is, line by line: a signed note, a command.
type Listing struct {
	Caption string
	Text    string
}

// Bars is a chart of counts, a bar a row. All bars are of one scale.
type Bars struct {
	Caption string
	Rows    []Bar
}

// Bar is a row of [Bars].
type Bar struct {
	Label string
	Parts []Part
	Note  string // what is said when there is nothing to count, or besides
}

// Part is a piece of a [Bar]. Those of 0 are not shown.
type Part struct {
	Label string // what is counted: "failed"
	Count int    // from 0
	Tone  Tone
	Text  string // what is said instead of the count and the label: "6 h used"; none: those
}

// Timeline is a chart of periods.
type Timeline struct {
	Caption string
	Now     time.Time // a line; none: zero
	From    time.Time // what it shows at least; zero: from the first of its rows
	Until   time.Time // likewise, to the last
	Rows    []Period
}

// Period is a row of a [Timeline].
type Period struct {
	Label string
	From  time.Time
	Until time.Time // not before From
	Tone  Tone
	Note  string // the dates, in words: what a reader who cannot see the chart gets
}

func (Paragraph) kind() string { return "paragraph" }
func (List) kind() string      { return "list" }
func (Facts) kind() string     { return "facts" }
func (Table) kind() string     { return "table" }
func (Callout) kind() string   { return "callout" }
func (Listing) kind() string   { return "listing" }
func (Bars) kind() string      { return "bars" }
func (Timeline) kind() string  { return "timeline" }

// Tone says what a mark, a callout or a part of a chart means. What it means is always said in words too.
type Tone string

// The tones. Unknown is as loud as Bad, and hatched: what is not known is not good.
const (
	Good    Tone = "good"
	Bad     Tone = "bad"
	Unknown Tone = "unknown"
	Warn    Tone = "warn"
	Mild    Tone = "mild"
	Calm    Tone = "calm"
	Neutral Tone = "neutral"
)

// Text is text in pieces.
type Text []Span

// Span is a piece of text: in code type, as a mark with a tone, or as a link; plain when it has none of these.
type Span struct {
	Text string
	Code bool
	Mark Tone
	Link string // "#id" of a section, "./file" beside the page, or an http or https URL; of any other, see [Linked], Text alone is shown
}

// Plain returns text.
func Plain(s string) Text { return Text{{Text: s}} }

// Code returns text in code type: an identifier, a digest.
func Code(s string) Text { return Text{{Text: s, Code: true}} }

// Mark returns text as a mark.
func Mark(t Tone, s string) Text { return Text{{Text: s, Mark: t}} }

// Link returns text that leads somewhere.
func Link(s, to string) Text { return Text{{Text: s, Link: to}} }
