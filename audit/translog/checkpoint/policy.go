package checkpoint

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	maxPolicy = 256 << 10 // bytes
	maxParts  = 64        // logs, witnesses, groups, each; C2SP tlog-policy asks for 32
	maxToken  = 1024      // bytes of a name, a key, a URL

	// None is the quorum of a policy that asks for no witness.
	None = "none"
)

// Policy says whose checkpoints are good: signed by one of the logs, and cosigned by as many witnesses as the quorum asks
// (C2SP tlog-policy). Its text form is that of the specification, in files and, as one string, in JSON (which keeps only
// names that are UTF-8):
//
//	log audit.example/eu-1+5e5fd8c2+AX...
//	witness north witness.example/north+08c9a2b3+BF... https://north.witness.example/submit
//	witness south witness.example/south+71ab90d4+BG...
//	witness east witness.example/east+0e1f2a3b+BH...
//	group majority 2 north south east
//	quorum majority
//
// The zero Policy trusts nobody: [Policy.Open] refuses it. A policy without witnesses says so, with the quorum [None].
type Policy struct {
	Logs      []Log     // any of them; in the files of others the log may be missing, it has to be added then
	Witnesses []Witness // whom the groups and the quorum name
	Groups    []Group   // a group stands after those that it names
	Quorum    string    // a witness, a group, or None
}

// Log is a log that a policy knows.
type Log struct {
	Key string // verifier key, Ed25519 (C2SP signed-note, type 1); its name is the origin of the log
	URL string // where to read the log; may be empty, and is not used here
}

// Witness is a witness that a policy knows.
type Witness struct {
	Name string // within the policy; the name in signatures is that of the key
	Key  string // verifier key of cosignatures, Ed25519 (C2SP tlog-cosignature, type 4)
	URL  string // submission prefix (C2SP tlog-witness), http or https; empty: only verified, never asked
}

// Group stands for its members: it has seen a checkpoint when so many of them have.
type Group struct {
	Name    string
	Need    int      // 1 to the number of members; 0: all of them
	Members []string // witnesses, and groups before this one; each in one group only
}

// Unwitnessed returns the policy that believes whatever the log with this verifier key has signed. Name witnesses as
// soon as you can: a log that signs alone can be put back.
func Unwitnessed(vkey string) (Policy, error) {
	p := Policy{Logs: []Log{{Key: vkey}}, Quorum: None}
	return p, p.Validate()
}

// ParsePolicy reads the text form. Comments, blank lines and spacing are lost; everything else is kept. Since half a
// policy may be a weaker one, the last line has to end in a newline too. An error wraps [opsec.ErrInvalid] and names the
// line. A file without a log is read (the specification allows it), but opens nothing.
func ParsePolicy(text string) (Policy, error) {
	if len(text) > maxPolicy {
		return Policy{}, invalid("policy of %d bytes: want at most %d", len(text), maxPolicy)
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		return Policy{}, invalid("policy: the last line does not end in a newline")
	}
	var p Policy
	r := newRules()
	for i, line := range strings.Split(text, "\n") {
		if err := p.parseLine(r, line); err != nil {
			return Policy{}, fmt.Errorf("checkpoint: policy, line %d: %w", i+1, err)
		}
	}
	if p.Quorum == "" {
		return Policy{}, invalid("policy has no quorum line")
	}
	return p, nil
}

// parseLine adds one line to the policy and to r, whose rules it has to meet.
func (p *Policy) parseLine(r *rules, text string) error {
	if i := strings.IndexFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }); i >= 0 {
		return wrong("control character at byte %d", i)
	}
	words := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	word := func(i int) string { // "" for what may be missing
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch kind, n := words[0], len(words)-1; {
	case kind == "log" && (n == 1 || n == 2):
		l := Log{word(1), word(2)}
		p.Logs = append(p.Logs, l)
		return r.addLog(l)
	case kind == "witness" && (n == 2 || n == 3):
		w := Witness{word(1), word(2), word(3)}
		p.Witnesses = append(p.Witnesses, w)
		return r.addWitness(w)
	case kind == "group" && n >= 3:
		g := Group{Name: word(1), Members: words[3:]}
		var err error
		if g.Need, err = parseNeed(word(2)); err != nil {
			return err
		}
		p.Groups = append(p.Groups, g)
		return r.addGroup(g)
	case kind == "quorum" && n == 1:
		p.Quorum = word(1)
		return r.setQuorum(p.Quorum)
	}
	return wrong("want log KEY [URL], witness NAME KEY [URL], group NAME any|all|K NAME..., or quorum NAME")
}

func parseNeed(s string) (int, error) {
	switch s {
	case "all":
		return 0, nil
	case "any":
		return 1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || strconv.Itoa(n) != s {
		return 0, wrong("group needs %q: want any, all or a number from 1", s)
	}
	return n, nil
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first part that breaks a rule: of the
// specification, or of this package: at least one log; no key twice, nor in two roles.
func (p Policy) Validate() error {
	_, err := p.trusted()
	return err
}

// String returns the text form: logs, witnesses, groups, quorum. For what can be trusted to be read again use MarshalText.
func (p Policy) String() string {
	var b strings.Builder
	put := func(words ...string) {
		b.WriteString(strings.TrimRight(strings.Join(words, " "), " ") + "\n")
	}
	for _, l := range p.Logs {
		put("log", l.Key, l.URL)
	}
	for _, w := range p.Witnesses {
		put("witness", w.Name, w.Key, w.URL)
	}
	for _, g := range p.Groups {
		need := strconv.Itoa(g.Need)
		switch g.Need {
		case 0:
			need = "all"
		case 1:
			need = "any"
		}
		put("group", g.Name, need, strings.Join(g.Members, " "))
	}
	put("quorum", p.Quorum)
	return b.String()
}

// MarshalText returns the text form of a policy that ParsePolicy reads; others are errors wrapping [opsec.ErrInvalid].
func (p Policy) MarshalText() ([]byte, error) {
	if _, err := p.rules(); err != nil {
		return nil, err
	}
	return []byte(p.String()), nil
}

// UnmarshalText is [ParsePolicy].
func (p *Policy) UnmarshalText(text []byte) error {
	q, err := ParsePolicy(string(text))
	if err == nil {
		*p = q
	}
	return err
}
