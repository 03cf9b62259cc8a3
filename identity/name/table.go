package name

import (
	_ "embed"
	"sort"
)

// Unicode is the version of the tables of confusable characters, of scripts and of characters recommended for identifiers.
const Unicode = "15.0.0"

// The tables, as gen.go writes and describes them. They are searched where they lie: nothing is built from them at start.
var (
	//go:embed confusables.bin
	confusables string
	//go:embed scripts.bin
	scripts string
)

// prototype is the text that stands for all that looks like r.
func prototype(r rune) (string, bool) {
	const header, entry = 4, 6
	n := int(number(confusables[:header]))
	at := sort.Search(n, func(i int) bool { return number(confusables[header+i*entry:][:3]) >= uint64(r) })
	if at == n {
		return "", false
	}
	found := confusables[header+at*entry:][:entry]
	if number(found[:3]) != uint64(r) {
		return "", false
	}
	pool := confusables[header+n*entry:]
	return pool[number(found[3:5]):][:found[5]], true
}

// set is a set of scripts, one bit for each code in the table.
type set [3]uint64

func (s set) and(t set) set { return set{s[0] & t[0], s[1] & t[1], s[2] & t[2]} }
func (s set) or(t set) set  { return set{s[0] | t[0], s[1] | t[1], s[2] | t[2]} }
func (s set) empty() bool   { return s == set{} }

// The parts of the table of scripts.
const (
	codeSize  = 4
	setSize   = 24
	rangeSize = 5
)

// script returns the set of a script alone, by its code of ISO 15924; false if there is none of this code.
func script(code string) (set, bool) {
	n := int(scripts[0])
	at := sort.Search(n, func(i int) bool { return scripts[1+i*codeSize:][:codeSize] >= code })
	if at == n || scripts[1+at*codeSize:][:codeSize] != code {
		return set{}, false
	}
	var s set
	s[at/64] = 1 << (at % 64)
	return s, true
}

// scriptsOf returns the scripts that r is written in, and whether UTS #39 recommends it for identifiers.
func scriptsOf(r rune) (set, bool) {
	rest := scripts[1+int(scripts[0])*codeSize:]
	n := int(number(rest[:2]))
	sets, ranges := rest[2:2+n*setSize], rest[2+n*setSize:]
	n, ranges = int(number(ranges[:2])), ranges[2:]
	at := sort.Search(n, func(i int) bool { return number(ranges[i*rangeSize:][:3]) > uint64(r) }) - 1
	found := ranges[at*rangeSize:][:rangeSize]
	bits := sets[int(found[3])*setSize:][:setSize]
	return set{number(bits[:8]), number(bits[8:16]), number(bits[16:])}, found[4] == 1
}

// number reads a number, the high byte first.
func number(s string) (v uint64) {
	for i := range len(s) {
		v = v<<8 | uint64(s[i])
	}
	return v
}
