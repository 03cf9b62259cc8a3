package index_test

import (
	"fmt"
	"log"
	"time"

	"github.com/cloudopsec/opsec/audit/translog/index"
)

// Entries are found while the span grows, and in its file afterwards.
func Example() {
	acme, globex, logIn, logOut := []byte("tacme"), []byte("tglobex"), []byte("nlog-in"), []byte("nlog-out")
	nine := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	b := index.NewBuilder(0)
	for pos, keys := range [][][]byte{{acme, logIn}, {globex, logIn}, {acme, logOut}, {acme, logIn}} {
		if err := b.Add(uint16(pos), nine.Add(time.Duration(pos)*time.Minute), keys...); err != nil {
			log.Fatal(err)
		}
	}
	of := index.Query{All: []index.AnyOf{{acme}, {logIn}}}
	for pos := range b.Find(of, 0) {
		fmt.Println(pos)
	}

	x, err := index.Open(b.Encode(), 0)
	if err != nil {
		log.Fatal(err)
	}
	of.Descending = true
	for pos := range x.Find(of, index.Span-1) {
		fmt.Println(pos)
		break // a page of one; the next begins at pos-1
	}
	// Output:
	// 0
	// 3
	// 3
}
