package shares_test

import (
	"crypto/hpke"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

// A root key is split among five, three of whom give it back. One of the shares was changed since.
func Example() {
	root := []byte("a key of thirty-two random bytes")
	set, dealt, err := shares.Split(root, shares.Scheme{Label: "root of region 1", Threshold: 3, Shares: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	forged := dealt[1].Bytes()
	forged[50]++
	dealt[1], _ = shares.ParseShare(forged)

	_, err = set.Combine(dealt[:3])
	var bad *shares.BadShareError
	fmt.Println(errors.As(err, &bad), bad.Positions)
	_, err = set.Combine(dealt[2:4])
	fmt.Println(err)
	secret, err := set.Combine(dealt[2:])
	fmt.Printf("%s %v\n", secret, err)
	// Output:
	// true [1]
	// shares: 2 shares, need 3: invalid
	// a key of thirty-two random bytes <nil>
}

// Each share is encrypted to its holder, here with a key that a quantum computer does not break.
func ExampleShare_Seal() {
	key, err := hpke.MLKEM768X25519().GenerateKey() // the holder's, who gives away key.PublicKey().Bytes()
	if err != nil {
		fmt.Println(err)
		return
	}
	set, dealt, _ := shares.Split([]byte("root key"), shares.Scheme{Threshold: 2, Shares: 3})
	sealed, err := dealt[0].Seal(shares.HPKE(key.PublicKey()))
	fmt.Println(sealed.Index, err)

	share, err := sealed.Open(shares.HPKEIdentity(key))
	fmt.Println(share, err, set.Check(share))
	// Output:
	// 1 <nil>
	// [share 1 of 3] <nil> <nil>
}

// Without the set, from what was on paper.
func ExampleCombine() {
	_, dealt, _ := shares.Split([]byte("root key"), shares.Scheme{Threshold: 2, Shares: 3})
	var typed []shares.Share
	for _, share := range dealt[1:] {
		again, err := shares.ParseText(share.Text())
		fmt.Println(again, err)
		typed = append(typed, again)
	}
	secret, err := shares.Combine(typed)
	fmt.Printf("%s %v\n", secret, err)
	// Output:
	// [share 2 of 3] <nil>
	// [share 3 of 3] <nil>
	// root key <nil>
}

// Once a year the holders show that their shares still open: all of them, if they can. The auditor asks with a challenge
// and verifies the proof with the public set.
func ExampleSet_Rehearse() {
	set, dealt, _ := shares.Split([]byte("root key"), shares.Scheme{Threshold: 2, Shares: 3})
	challenge := []byte("X.1642 audit 2026, question 17")
	proof, err := set.Rehearse(dealt, challenge, time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	fmt.Println(proof.Indexes, proof.Time, err)
	fmt.Println(set.VerifyProof(proof, challenge))
	fmt.Println(set.VerifyProof(proof, []byte("another challenge")))
	// Output:
	// [1 2 3] 2026-03-02 12:00:00 +0000 UTC <nil>
	// <nil>
	// shares: not a proof of this set and this challenge: invalid
}

// A holder has left: the others deal anew. The secret stays, and the old share is of no use with the new ones.
func ExampleSet_Refresh() {
	set, dealt, _ := shares.Split([]byte("root key"), shares.Scheme{Threshold: 2, Shares: 3})
	next, fresh, err := set.Refresh(dealt[:2], shares.Scheme{Threshold: 2, Shares: 3})
	fmt.Println(next.Previous == set.ID, err)
	secret, err := next.Combine(fresh[1:])
	fmt.Printf("%s %v\n", secret, err)
	_, err = next.Combine([]shares.Share{fresh[0], dealt[2]})
	fmt.Println(err)
	// Output:
	// true <nil>
	// root key <nil>
	// shares: bad at these positions, from 0: [1]: invalid
}
