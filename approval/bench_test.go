package approval_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/approval"
)

func BenchmarkDecide(b *testing.B) {
	b.Run("second of two", func(b *testing.B) {
		c := must(b)(open(b, plain(role("ops", 2))).Decide(approve(0, human("bob")), everybody, start))
		d := approve(0, human("carol"))
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := c.Decide(d, everybody, start); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("second of two, signed", func(b *testing.B) {
		a := keyed("bob", "carol")
		policy := plain(role("ops", 2))
		policy.SkipSignatures = false
		c := open(b, policy)
		c = must(b)(c.Decide(sign(c, approve(0, human("bob")), "bob", start), a, start))
		d := sign(c, approve(0, human("carol")), "carol", start)
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := c.Decide(d, a, start); err != nil {
				b.Fatal(err)
			}
		}
	})
	// The widest policy, and the last of as many decisions as a case holds, none of which has helped.
	b.Run("worst case", func(b *testing.B) {
		policy, a := widest()
		c := open(b, policy)
		for i := range approval.MaxSteps - 2 {
			c = must(b)(c.Decide(approve(0, human(fmt.Sprint("p", i))), a, start))
		}
		d := approve(0, human("last"))
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := c.Decide(d, a, start); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUse(b *testing.B) {
	a := keyed("bob", "carol")
	c := open(b, signing())
	c = must(b)(c.Decide(sign(c, approve(0, human("bob")), "bob", start), a, start))
	c = must(b)(c.Decide(sign(c, approve(1, human("carol")), "carol", start), a, start))
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := c.Use(destroy(), human("alice"), a, start)
		if err != nil {
			b.Fatal(err)
		}
	}
	require.Equal(b, approval.Approved, status(b, c, start))
}
