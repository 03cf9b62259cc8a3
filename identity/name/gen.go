//go:build ignore

// This program writes confusables.bin and scripts.bin, the two tables of this package, from files that Unicode, Inc.
// publishes under the licence in LICENSE-UNICODE, all of one version:
//
//	ucd/Scripts.txt ucd/ScriptExtensions.txt ucd/PropertyValueAliases.txt
//	security/confusables.txt security/IdentifierStatus.txt
//
//	go run gen.go DIRECTORY...
//
// It looks for each in the directories, in their order. Debian has the first three in the package unicode-data, the fourth
// in the source of icu (source/data/unidata). The fifth was written for the tables at hand from the sets that ICU 72.1
// returns for it (uspoof_getRecommendedSet and uspoof_getInclusionSet), which are what the file says.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// version is of the tables; the files must name it, where they name one.
const version = "15.0.0"

func main() {
	log.SetFlags(0)
	confusables := confusables()
	scripts := scripts()
	for name, b := range map[string][]byte{"confusables.bin": confusables, "scripts.bin": scripts} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, len(b), "bytes")
	}
}

// confusables is a count (uint32), so many entries in the order of their code points (3 bytes of code point, 2 of where its
// prototype begins in the pool, 1 of its length) and the pool, in UTF-8.
func confusables() []byte {
	prototypes := map[rune]string{}
	for _, line := range lines("confusables.txt") {
		from := code(line[0])
		var to strings.Builder
		for _, one := range strings.Fields(line[1]) {
			to.WriteRune(code(one))
		}
		prototypes[from] = to.String()
	}
	longest := slices.SortedFunc(maps.Values(prototypes), func(a, b string) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
	var pool []byte
	for _, one := range slices.Compact(longest) {
		if !bytes.Contains(pool, []byte(one)) {
			pool = append(pool, one...)
		}
	}
	if len(pool) > 1<<16 {
		log.Fatalf("the pool has %d bytes", len(pool))
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(prototypes)))
	for _, from := range slices.Sorted(maps.Keys(prototypes)) {
		to := []byte(prototypes[from])
		out = append(out, byte(from>>16), byte(from>>8), byte(from))
		out = binary.BigEndian.AppendUint16(out, uint16(bytes.Index(pool, to)))
		out = append(out, byte(len(to)))
	}
	return append(out, pool...)
}

// scripts is a count of scripts (1 byte) and their codes of ISO 15924 (4 bytes each); a count of sets (uint16), each 24 bytes
// of bits, one for each script, the first the lowest of the first uint64; a count of ranges (uint16), each where it begins
// (3 bytes), the number of its set, and 1 if its code points are recommended for identifiers. The sets are augmented as
// UTS #39, section 5.1, has it; what is common or inherited is in all of them.
func scripts() []byte {
	short := map[string]string{}
	codes := []string{"Hanb", "Jpan", "Kore"}
	for _, line := range lines("PropertyValueAliases.txt") {
		if line[0] == "sc" {
			short[line[2]] = line[1]
			codes = append(codes, line[1])
		}
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	bits := func(list []string) (set [3]uint64) {
		for _, one := range list {
			for _, each := range append(augment[one], one) {
				at := slices.Index(codes, each)
				set[at/64] |= 1 << (at % 64)
			}
			if one == "Zyyy" || one == "Zinh" {
				return [3]uint64{1<<64 - 1, 1<<64 - 1, 1<<64 - 1}
			}
		}
		return set
	}
	var set [0x110000][3]uint64
	var allowed [0x110000]byte
	for i := range set {
		set[i] = bits([]string{"Zzzz"})
	}
	for _, line := range lines("Scripts.txt") {
		for r := range span(line[0]) {
			set[r] = bits([]string{short[line[1]]})
		}
	}
	for _, line := range lines("ScriptExtensions.txt") {
		for r := range span(line[0]) {
			set[r] = bits(strings.Fields(line[1]))
		}
	}
	for _, line := range lines("IdentifierStatus.txt") {
		for r := range span(line[0]) {
			allowed[r] = 1
		}
	}
	var sets [][3]uint64
	var ranges []byte
	for r := range set {
		if r > 0 && set[r] == set[r-1] && allowed[r] == allowed[r-1] {
			continue
		}
		at := slices.Index(sets, set[r])
		if at < 0 {
			at, sets = len(sets), append(sets, set[r])
		}
		ranges = append(ranges, byte(r>>16), byte(r>>8), byte(r), byte(at), allowed[r])
	}
	if len(sets) > 1<<8 || len(codes) > 192 {
		log.Fatalf("%d sets of %d scripts", len(sets), len(codes))
	}
	out := []byte{byte(len(codes))}
	out = append(out, strings.Join(codes, "")...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(sets)))
	for _, s := range sets {
		for _, word := range s {
			out = binary.BigEndian.AppendUint64(out, word)
		}
	}
	out = binary.BigEndian.AppendUint16(out, uint16(len(ranges)/5))
	return append(out, ranges...)
}

// augment has the writing systems that a script is part of.
var augment = map[string][]string{
	"Hani": {"Hanb", "Jpan", "Kore"}, "Hira": {"Jpan"}, "Kana": {"Jpan"}, "Hang": {"Kore"}, "Bopo": {"Hanb"},
}

// lines are the fields of a file of the Unicode Character Database.
func lines(name string) [][]string {
	var all [][]string
	for _, directory := range os.Args[1:] {
		f, err := os.Open(filepath.Join(directory, name))
		if err != nil {
			continue
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		for in.Scan() {
			line := strings.TrimPrefix(in.Text(), "\ufeff")
			if v, ok := strings.CutPrefix(line, "# Version: "); ok && v != version {
				log.Fatalf("%s: version %s, want %s", name, v, version)
			}
			line, _, _ = strings.Cut(line, "#")
			if strings.TrimSpace(line) == "" {
				continue
			}
			fields := strings.Split(line, ";")
			for i := range fields {
				fields[i] = strings.TrimSpace(fields[i])
			}
			all = append(all, fields)
		}
		if in.Err() != nil {
			log.Fatal(in.Err())
		}
		return all
	}
	log.Fatalf("%s is in none of %v", name, os.Args[1:])
	return nil
}

func span(s string) func(func(rune) bool) {
	first, last, more := strings.Cut(s, "..")
	if !more {
		last = first
	}
	return func(yield func(rune) bool) {
		for r := code(first); r <= code(last) && yield(r); r++ {
		}
	}
}

func code(s string) rune {
	v, err := strconv.ParseUint(strings.TrimSpace(s), 16, 21)
	if err != nil {
		log.Fatal(err)
	}
	return rune(v)
}
