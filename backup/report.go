package backup

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The verdicts of a [Report], from good to bad.
const (
	StatusOK         = "ok"         // trusted, complete, no fault
	StatusIncomplete = "incomplete" // no fault so far; the budget ended first
	StatusSuspect    = "suspect"    // no fault, but the manifest's place in its source's history is wrong
	StatusUntrusted  = "untrusted"  // no fault, but nobody trusted vouches for the manifest
	StatusDamaged    = "damaged"    // faults were found
)

// Report is the outcome of a [Verify], for people, for programs and for evidence. Paths are in the form of [Quote].
type Report struct {
	OK     bool   `json:"ok"`     // Status is StatusOK
	Status string `json:"status"` // the worst that applies

	Manifest Digest         `json:"manifest"` // Manifest.ID; of a list of digests, the BLAKE3 of it
	Tenant   opsec.TenantID `json:"tenant"`
	Source   string         `json:"source"`
	Sequence uint64         `json:"sequence"`
	trust.Judgement

	Entries int64 `json:"entries"` // entries compared, of any kind
	Checked int64 `json:"checked"` // files whose content was read and compared
	Bytes   int64 `json:"bytes"`   // of those contents

	Changed    []string `json:"changed"`    // content, type or link target is another
	Missing    []string `json:"missing"`    // in the manifest, not in the tree
	Extra      []string `json:"extra"`      // in the tree, not in the manifest
	Unreadable []string `json:"unreadable"` // cannot be read
	Unstable   []string `json:"unstable"`   // changed while it was read
	Metadata   []string `json:"metadata"`   // the content is right; mode, time or holes differ
	Details    []Detail `json:"details"`    // what is known beside the path
	Totals     Totals   `json:"totals"`     // exact, also where lists were cut

	StrictMetadata bool          `json:"strictMetadata,omitempty"`
	Sample         *Sample       `json:"sample,omitempty"` // nil when every content was read
	Started        time.Time     `json:"started"`
	Took           time.Duration `json:"took"`             // nanoseconds spent, over all sessions
	Cursor         *Cursor       `json:"cursor,omitempty"` // where to go on; nil when complete
}

// Totals counts findings.
type Totals struct {
	Changed    int64 `json:"changed"`
	Missing    int64 `json:"missing"`
	Extra      int64 `json:"extra"`
	Unreadable int64 `json:"unreadable"`
	Unstable   int64 `json:"unstable"`
	Metadata   int64 `json:"metadata"`
}

// Faults counts what speaks against the tree.
func (r *Report) Faults() int64 {
	t := r.Totals
	n := t.Changed + t.Missing + t.Extra + t.Unreadable + t.Unstable
	if r.StrictMetadata {
		n += t.Metadata
	}
	return n
}

// Accept remembers in the state that the manifest was found in order, if the report says so: complete, without faults,
// its history not suspect, and trusted, unless no keys were given to trust, which is remembered as such. With
// passGap a predecessor that was not seen is passed over. It returns whether there was anything to remember.
func (r *Report) Accept(m *Manifest, t *trust.Verifier, at time.Time, passGap bool) (bool, error) {
	suspect := r.History.Suspect() && !(passGap && r.History == trust.Missing)
	if m == nil || t.State == nil || r.Cursor != nil || r.Faults() > 0 || suspect || r.Trust != trust.Trusted && len(t.Keys) > 0 {
		return false, nil
	}
	return true, t.State.Accept(m.Claim(), at, r.Trust == trust.Trusted)
}

// Detail says more of one path.
type Detail struct {
	Path   string  `json:"path"`
	What   string  `json:"what"`
	Ranges []Range `json:"ranges,omitempty"` // the damaged parts of a changed file, where the manifest has chunk lines
}

// Range is the bytes of a file from First to before End.
type Range struct {
	First int64 `json:"first"`
	End   int64 `json:"end"`
}

// ParseReport reads the JSON of a report, to go on from its cursor ([Budget.Resume]); at most 256 MiB of it.
func ParseReport(rd io.Reader) (*Report, error) {
	b, err := io.ReadAll(io.LimitReader(rd, 256<<20+1))
	if err != nil {
		return nil, fmt.Errorf("backup: report: %w", err)
	}
	if len(b) > 256<<20 {
		return nil, invalid("report: more than 256 MiB")
	}
	r := new(Report)
	if err := strictjson.Decode(b, r); err != nil {
		return nil, invalid("report: %v", err)
	}
	t := r.Totals
	if min(r.Entries, r.Checked, r.Bytes, int64(r.Took), t.Changed, t.Missing, t.Extra, t.Unreadable, t.Unstable, t.Metadata) < 0 {
		return nil, invalid("report: a negative count")
	}
	return r, nil
}

// clone returns a copy that can be added to.
func (r *Report) clone() Report {
	c := *r
	for _, list := range []*[]string{&c.Changed, &c.Missing, &c.Extra, &c.Unreadable, &c.Unstable, &c.Metadata} {
		*list = append([]string{}, *list...)
	}
	c.Details = append([]Detail{}, c.Details...)
	return c
}

// String returns "[first,end)".
func (r Range) String() string { return fmt.Sprintf("[%d,%d)", r.First, r.End) }

// settle computes the verdict.
func (r *Report) settle() {
	switch {
	case r.Faults() > 0:
		r.Status = StatusDamaged
	case r.Trust != trust.Trusted:
		r.Status = StatusUntrusted
	case r.History.Suspect():
		r.Status = StatusSuspect
	case r.Cursor != nil:
		r.Status = StatusIncomplete
	default:
		r.Status = StatusOK
	}
	r.OK = r.Status == StatusOK
}

// Event describes the verification, for an [opsec.Recorder]. The caller adds the actor.
func (r *Report) Event() *opsec.Event {
	e := opsec.NewEvent(ActionVerify, r.Started.Add(r.Took))
	e.Tenant, e.Began, e.Outcome, e.Reason = r.Tenant, r.Started, opsec.Failure, r.Status
	if r.OK {
		e.Outcome = opsec.Success
	}
	e.Resource = opsec.Resource{Tenant: r.Tenant, Type: "backup", ID: r.Source}
	number := func(key string, n int64) {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: strconv.FormatInt(n, 10), Mark: opsec.Tenant})
	}
	e.Attrs = []opsec.Attr{{Key: attrManifest, Value: r.Manifest.String(), Mark: opsec.Tenant}}
	number("checked", r.Checked)
	number("bytes", r.Bytes)
	number("faults", r.Faults())
	return e
}

// WriteText writes the report for people to read.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	if b.WriteString(strings.ToUpper(r.Status)); r.Source == "" {
		b.WriteString(": a list of digests\n")
	} else {
		fmt.Fprintf(&b, ": %s of %s, manifest %d (%.16s)\n", r.Source, r.Tenant, r.Sequence, r.Manifest)
	}
	fmt.Fprintf(&b, "trust: %s\n", r.Trust)
	for _, s := range r.Signatures {
		verdict := "valid"
		if !s.Valid {
			verdict = "NOT valid: " + s.Reason
		}
		fmt.Fprintf(&b, "  signed by %s (%s): %s\n", orUnknown(s.Operator), s.KeyID, verdict)
	}
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	fmt.Fprintf(&b, "compared: %d entries, the content of %d files, %d bytes, in %s\n", r.Entries, r.Checked, r.Bytes, r.Took.Round(time.Millisecond))
	if s := r.Sample; s != nil {
		fmt.Fprintf(&b, "sample: %d of %d files; finds a single damaged file by %.2f %%, 1 %% damaged files by %.2f %%\n",
			s.Size, s.Files, 100*s.OneFile, 100*s.Percent1)
	}
	details := map[string]Detail{}
	for _, d := range r.Details {
		details[d.Path] = d
	}
	for _, class := range []struct {
		name  string
		total int64
		paths []string
	}{
		{"changed", r.Totals.Changed, r.Changed}, {"missing", r.Totals.Missing, r.Missing}, {"extra", r.Totals.Extra, r.Extra},
		{"unreadable", r.Totals.Unreadable, r.Unreadable}, {"changed while read", r.Totals.Unstable, r.Unstable},
		{"metadata only", r.Totals.Metadata, r.Metadata},
	} {
		if class.total == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s: %d\n", class.name, class.total)
		for i, p := range class.paths {
			if i == 20 {
				break
			}
			fmt.Fprintf(&b, "  %s", p)
			if d := details[p]; d.What != "" {
				fmt.Fprintf(&b, ": %s", d.What)
			}
			for _, g := range details[p].Ranges[:min(8, len(details[p].Ranges))] {
				fmt.Fprintf(&b, " %v", g)
			}
			b.WriteByte('\n')
		}
		if more := class.total - int64(min(20, len(class.paths))); more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	if r.Cursor != nil {
		fmt.Fprintf(&b, "stopped by the budget after %s: resume to finish\n", orUnknown(r.Cursor.After))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orUnknown(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
