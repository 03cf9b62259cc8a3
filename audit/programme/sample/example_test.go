package sample_test

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// The keys of the log and of the witnesses whom an outsider trusts. They come from where these publish them, not with
// the dossier.
const (
	logVkey   = "log.example/audit+e0ecd8a0+AZsfhHkc/HZjBFhU04netcqVRJ2HXydqg4QLBgqznPxx"
	northVkey = "witness.example/north+bc0f012b+BLDapiD6A2fdA4VDzL+pfvfFGReQNzPRjWm5hKCxxa3t"
	southVkey = "witness.example/south+6e2e5e18+BI3OPKLoeTKjMLaRljea1xgvJ4leFxR7jlgKjv7TDNhO"
)

// trust makes a verifier of them.
func trust() (v sample.CheckpointVerifier, err error) {
	log, err := note.NewVerifier(logVkey)
	if err != nil {
		return v, err
	}
	v = sample.CheckpointVerifier{Logs: []note.Verifier{log}, Quorum: 2}
	for _, vkey := range []string{northVkey, southVkey} {
		w, err := checkpoint.NewCosignatureVerifier(vkey)
		if err != nil {
			return v, err
		}
		v.Witnesses = append(v.Witnesses, w)
	}
	return v, nil
}

// An outsider has a provider's dossier and the keys of the log and of two witnesses, and nothing else.
func ExampleRecompute() {
	text, err := os.ReadFile("testdata/dossier.json")
	if err != nil {
		panic(err)
	}
	d, err := sample.ParseDossier(text)
	if err != nil {
		panic(err)
	}
	v, err := trust()
	if err != nil {
		panic(err)
	}
	// This log's entry of a freeze is one word and the digest.
	recorded := func(leaf []byte, freeze sample.Digest) error {
		if string(leaf) != "freeze "+freeze.String() {
			return errors.New("not the record of it")
		}
		return nil
	}
	seed, err := sample.Recompute(d, v, recorded)
	fmt.Printf("%x %v\n", seed[:8], err)
	fmt.Println(d.Samples["keys-1/eu"], "of", d.Freeze.Frames[1].Size)

	d.Samples["keys-1/eu"][0]++
	_, err = sample.Recompute(d, v, recorded)
	fmt.Println(err)
	// Output:
	// 9ee665dc12a0f588 <nil>
	// [7 18 46 70 75] of 77
	// sample: does not come out as published: keys-1/eu: a sample of 5 is another
}

// The provider draws: the freeze is in the log, and the checkpoint came after it.
func ExampleDerive() {
	text, err := os.ReadFile("testdata/dossier.json")
	if err != nil {
		panic(err)
	}
	d, err := sample.ParseDossier(text)
	if err != nil {
		panic(err)
	}
	v, err := trust()
	if err != nil {
		panic(err)
	}
	seed, err := sample.Derive(d.Freeze, d.Anchor, []byte(d.Checkpoint), v)
	if err != nil {
		panic(err)
	}
	positions, err := seed.Draw(d.Freeze.Frames[1], 5)
	fmt.Println(positions, err)

	d.Freeze.NotBefore = d.Freeze.NotBefore.Add(time.Minute)
	_, err = sample.Derive(d.Freeze, d.Anchor, []byte(d.Checkpoint), v)
	fmt.Println(errors.Is(err, sample.ErrTooEarly))
	// Output:
	// [7 18 46 70 75] <nil>
	// true
}

func ExampleFrame() {
	f := sample.Frame{Procedure: "backup-1", Items: []string{"vol-1", "vol-2", "vol-3"}}
	c, err := f.Commit()
	if err != nil {
		panic(err)
	}
	proofs, err := f.Prove(1)
	if err != nil {
		panic(err)
	}
	fmt.Println(proofs[0].Item, c.Verify(proofs[0]))
	proofs[0].Item = "vol-9"
	fmt.Println(c.Verify(proofs[0]))
	// Output:
	// vol-2 <nil>
	// sample: does not come out as published: backup-1: item at position 1 is another
}

func ExampleSeed_DrawStrata() {
	var strata []sample.Commitment
	for i, procedure := range []string{"backup-1/asia", "backup-1/eu"} {
		f := sample.Frame{Procedure: procedure}
		for n := range 10 + 80*i {
			f.Items = append(f.Items, fmt.Sprintf("vol-%03d", n))
		}
		c, err := f.Commit()
		if err != nil {
			panic(err)
		}
		strata = append(strata, c)
	}
	seed := sample.Seed{1} // in earnest, from Derive
	drawn, err := seed.DrawStrata(strata, 8, 2)
	fmt.Println(drawn, err)
	// Output: [[6 8] [12 13 15 28 39 55]] <nil>
}

func ExampleAllocate() {
	fmt.Println(sample.Allocate([]int{60, 25, 15}, 5, 0))
	// Output: [3 1 1] <nil>
}

func ExampleSize() {
	k, err := sample.Size(4200, 50_000, 950_000, 0) // of 4,200 volumes
	fmt.Println(k, err)
	// Output: 58 <nil>
}

func ExampleEvaluate() {
	most, err := sample.Evaluate(4200, 58, 1, 950_000) // one of 58 deviates
	fmt.Println(most, err)
	// Output: 330 <nil>
}
