package name

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a [Policy].
const (
	MaxLength   = 256  // code points of a name
	MaxMarks    = 4    // combining marks in a row: UTS #39, section 5.4, sees an attack in more
	MaxReserved = 1024 // names
	MaxForms    = 64   // kinds

	maxPunctuation = 32
	maxScripts     = 64
	maxText        = 256       // bytes of any text in it
	maxJSON        = 256 << 10 // bytes
)

// Policy is the naming policy of a trust zone (8.1.1-3a). It is data. What is left out is strict: small letters, digits and
// nothing else of ASCII; the zero Policy is refused, for it has no lengths.
type Policy struct {
	Name   string `json:"name,omitempty"`
	Source string `json:"source,omitempty"`

	Min int `json:"min"` // code points of the canonical form, 1 to Max
	Max int `json:"max"` // up to MaxLength

	Level   Level    `json:"level,omitempty"`   // how freely scripts mix; empty: ASCII
	Scripts []string `json:"scripts,omitempty"` // codes of ISO 15924 that names may use, such as "Latn" or "Jpan"; none: any recommended one
	Marks   int      `json:"marks,omitempty"`   // combining marks without a width on one letter of the canonical form, 0 to MaxMarks; 0: no mark at all

	Punctuation string `json:"punctuation,omitempty"` // what may stand between letters and digits, one at a time, such as ".-_"
	DigitFirst  bool   `json:"digit_first,omitempty"` // a name may begin with a digit

	Forms    []Form   `json:"forms,omitempty"`    // how a kind of account is told by its name; none: all kinds alike
	Reserved []string `json:"reserved,omitempty"` // names nobody gets, nor what looks like them; "admin*" with all that begins so

	InsecureAllowLookalikes bool `json:"insecure_allow_lookalikes,omitempty"` // names in another script that read as Latin ones
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field out of bounds.
func (p Policy) Validate() error {
	switch {
	case len(p.Name) > maxText || len(p.Source) > maxText:
		return invalid("policy: name, source: want at most %d bytes", maxText)
	case p.Min < 1 || p.Max < p.Min || p.Max > MaxLength:
		return invalid("policy: min is %d, max %d, want 1 <= min <= max <= %d", p.Min, p.Max, MaxLength)
	case p.Level.rank() == 0:
		return invalid("policy: level: a text of %d bytes that is none, or one too free", len(p.Level))
	case p.Marks < 0 || p.Marks > MaxMarks:
		return invalid("policy: marks is %d, want 0 to %d", p.Marks, MaxMarks)
	case len(p.Scripts) > maxScripts || len(p.Forms) > MaxForms || len(p.Reserved) > MaxReserved:
		return invalid("policy: scripts, forms, reserved: %d, %d, %d, want at most %d, %d, %d",
			len(p.Scripts), len(p.Forms), len(p.Reserved), maxScripts, MaxForms, MaxReserved)
	case len(p.Punctuation) > maxPunctuation:
		return invalid("policy: punctuation: %d bytes, want at most %d", len(p.Punctuation), maxPunctuation)
	}
	for i, code := range p.Scripts {
		if _, ok := script(code); !ok || slices.Contains(p.Scripts[:i], code) || code == "Zyyy" || code == "Zinh" || code == "Zzzz" {
			return invalid("policy: scripts[%d]: want a code of ISO 15924 that names a script, once", i)
		}
	}
	for i, r := range p.Punctuation {
		if _, recommended := scriptsOf(r); r > unicode.MaxASCII && !recommended || !lone(r) && !contextRule(r) ||
			unicode.In(r, unicode.L, unicode.M, unicode.N) || strings.ContainsRune(p.Punctuation[:i], r) {
			return invalid("policy: punctuation: %U at byte %d is no mark of punctuation that may be in names, or is there twice", r, i)
		}
	}
	for i, one := range p.Reserved {
		if base := strings.TrimSuffix(one, "*"); !canonicalText(base) || coarse(Skeleton(base)) == "" {
			return invalid("policy: reserved[%d]: want a canonical name of at most %d bytes, perhaps with a * behind it", i, maxText)
		}
	}
	return p.validateForms()
}

// scripts are those that the policy allows.
func (p Policy) scripts() set {
	if len(p.Scripts) == 0 {
		return set{1<<64 - 1, 1<<64 - 1, 1<<64 - 1}
	}
	var all set
	for _, code := range p.Scripts {
		all = all.or(scriptOf(code))
	}
	return all
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	type fields Policy
	var read fields
	if len(data) > maxJSON {
		return invalid("policy: %d bytes of JSON, want at most %d", len(data), maxJSON)
	}
	if err := strictjson.Decode(data, &read); err != nil {
		return invalid("policy: %v", err)
	}
	if err := Policy(read).Validate(); err != nil {
		return err
	}
	*p = Policy(read)
	return nil
}

// canonicalText says whether s is a short text in canonical form.
func canonicalText(s string) bool {
	if len(s) > maxText {
		return false
	}
	canonical, err := Canonical(s)
	return err == nil && canonical == s
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("name: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
