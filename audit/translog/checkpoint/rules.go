package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
)

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
