package checkpoint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudopsec/opsec"
)

const (
	maxPolicy = 256 << 10 // bytes
	maxParts  = 64        // logs, witnesses, groups, each; C2SP tlog-policy asks for 32
	maxToken  = 1024      // bytes of a name, a key, a URL

	// None is the quorum of a policy that asks for no witness.
	None = "none"
)

// Policy says whose checkpoints are good: signed by one of the logs, and cosigned by as many witnesses as the quorum asks
// (C2SP tlog-policy). Its text form is that of the specification, in files and, as one string, in JSON:
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
	Witnesses []Witness //
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

// rules is a policy that has been checked, with its keys at hand.
type rules struct {
	logs      map[id]key
	witnesses map[id]known
	order     []string // names of witnesses as they came
	groups    []Group
	quorum    string

	defined, member map[string]bool // names
	public          map[string]bool // bytes of keys
}

// known is a witness of the rules.
type known struct {
	key
	as string // its name in the policy
}

func newRules() *rules {
	return &rules{
		logs: map[id]key{}, witnesses: map[id]known{},
		defined: map[string]bool{}, member: map[string]bool{}, public: map[string]bool{},
	}
}

// trusted returns the rules of a policy that something can be verified by.
func (p Policy) trusted() (*rules, error) {
	if len(p.Logs) == 0 {
		return nil, invalid("policy has no log")
	}
	return p.rules()
}

func (p Policy) rules() (*rules, error) {
	r := newRules()
	for i, l := range p.Logs {
		if err := r.addLog(l); err != nil {
			return nil, fmt.Errorf("checkpoint: policy, log %d: %w", i+1, err)
		}
	}
	for i, w := range p.Witnesses {
		if err := r.addWitness(w); err != nil {
			return nil, fmt.Errorf("checkpoint: policy, witness %d: %w", i+1, err)
		}
	}
	for i, g := range p.Groups {
		if err := r.addGroup(g); err != nil {
			return nil, fmt.Errorf("checkpoint: policy, group %d: %w", i+1, err)
		}
	}
	if err := r.setQuorum(p.Quorum); err != nil {
		return nil, fmt.Errorf("checkpoint: policy: %w", err)
	}
	return r, nil
}

func (r *rules) addLog(l Log) error {
	k, err := parseKey(l.Key, kindNote)
	if err != nil {
		return err
	}
	if len(r.logs) == maxParts {
		return wrong("more than %d logs", maxParts)
	}
	if err := r.claim(k, l.URL); err != nil {
		return err
	}
	r.logs[k.id] = k
	return nil
}

func (r *rules) addWitness(w Witness) error {
	k, err := parseKey(w.Key, kindCosignature)
	if err != nil {
		return err
	}
	if len(r.witnesses) == maxParts {
		return wrong("more than %d witnesses", maxParts)
	}
	if err := r.define(w.Name); err != nil {
		return err
	}
	if err := r.claim(k, w.URL); err != nil {
		return err
	}
	r.witnesses[k.id] = known{k, w.Name}
	r.order = append(r.order, w.Name)
	return nil
}

func (r *rules) addGroup(g Group) error {
	if len(r.groups) == maxParts {
		return wrong("more than %d groups", maxParts)
	}
	if len(g.Members) == 0 || g.Need < 0 || g.Need > len(g.Members) {
		return wrong("group %q needs %d of %d members", g.Name, g.Need, len(g.Members))
	}
	for _, m := range g.Members {
		if !r.defined[m] {
			return wrong("group %q has member %q, which is not defined before it", g.Name, m)
		}
		if r.member[m] {
			return wrong("group %q has member %q, which is in a group already", g.Name, m)
		}
		r.member[m] = true
	}
	if err := r.define(g.Name); err != nil {
		return err
	}
	g.Members = slices.Clone(g.Members)
	r.groups = append(r.groups, g)
	return nil
}

func (r *rules) setQuorum(name string) error {
	if r.quorum != "" {
		return wrong("a second quorum")
	}
	if name != None && !r.defined[name] {
		return wrong("quorum %q is not a witness or group defined before it, nor none", name)
	}
	r.quorum = name
	return nil
}

// define takes a name for a witness or group.
func (r *rules) define(name string) error {
	if name == None || !token(name) {
		return wrong("name %q: want 1 to %d bytes without spaces and control characters, not none", name, maxToken)
	}
	if r.defined[name] {
		return wrong("name %q is taken", name)
	}
	r.defined[name] = true
	return nil
}

// claim takes a public key for one role.
func (r *rules) claim(k key, url string) error {
	if url != "" && !token(url) {
		return wrong("URL of %q: want at most %d bytes without spaces and control characters", k.name, maxToken)
	}
	if r.public[string(k.public)] {
		return wrong("key of %q is there already, in this or another role", k.name)
	}
	_, log := r.logs[k.id]
	if _, witness := r.witnesses[k.id]; log || witness {
		return wrong("key of %q has the name and id of another", k.name)
	}
	r.public[string(k.public)] = true
	return nil
}

// token reports whether s can stand in a policy file as one word.
func token(s string) bool {
	return s != "" && len(s) <= maxToken && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

// stands reports whether the witnesses of these names are a quorum.
func (r *rules) stands(seen map[string]bool) bool {
	if r.quorum == None {
		return true
	}
	for _, g := range r.groups {
		n := 0
		for _, m := range g.Members {
			if seen[m] {
				n++
			}
		}
		need := g.Need
		if need == 0 {
			need = len(g.Members)
		}
		seen[g.Name] = n >= need
	}
	return seen[r.quorum]
}

// wrong is invalid without the name of the package, for a caller that says where.
func wrong(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, opsec.ErrInvalid)...)
}
