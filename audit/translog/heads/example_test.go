package heads_test

import (
	"fmt"
	"log"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/heads"
)

// A tenant checks that the log shows all of its entries, and an auditor that another tenant has none.
func Example() {
	acme, globex := [16]byte{0xac}, [16]byte{0x91} // random in earnest
	var tree heads.Tree
	tree.Set(heads.Head{Tag: acme, Seq: 1, Leaf: tlog.RecordHash([]byte("first"))})
	tree.Set(heads.Head{Tag: acme, Seq: 2, Leaf: tlog.RecordHash([]byte("second"))})
	root := tree.Root() // goes into the log

	for _, tag := range [][16]byte{acme, globex} {
		proof := tree.Prove(tag).AppendTo(nil) // goes to whoever asks
		p, err := heads.ParseProof(proof)
		if err != nil {
			log.Fatal(err)
		}
		head, present, err := p.Verify(root, tag)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%x: present %v, %d entries\n", tag[0], present, head.Seq)
	}

	again, err := heads.FromSnapshot(tree.Snapshot()) // after a restart
	fmt.Println(err, again.Root() == root)
	// Output:
	// ac: present true, 2 entries
	// 91: present false, 0 entries
	// <nil> true
}
