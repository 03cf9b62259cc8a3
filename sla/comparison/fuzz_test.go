package comparison_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
)

// FuzzCompare: agreements that are read, valid or not, are compared alike from both sides, and what is at least as strong meets.
func FuzzCompare(f *testing.F) {
	var samples [2][]byte
	for i, name := range []string{"iaas", "saas"} {
		text, err := os.ReadFile("../testdata/" + name + ".yaml")
		require.NoError(f, err)
		samples[i] = text
	}
	f.Add(samples[0], samples[1])
	f.Add(samples[1], samples[1])
	f.Add([]byte("schema: opsec.sla/v1\nservices: [{id: a, objectives: [{id: o, target: 1/2, window: {zone: UTC, rolling: 1h}}]}]\ncredits: [{objective: o, group: g, bands: [{below: 1, credit: 1}]}]\n"),
		[]byte("schema: opsec.sla/v1\nservices: [{id: a, objectives: [{id: o, target: 1/3, method: slices, good: 1/2, window: {zone: UTC}}]}]\nexclusions: [{category: x}, {category: x, services: [a]}]\n"))
	f.Add([]byte("schema: opsec.sla/v1\nclause: {emergency: {targets: [{measure: acceptance, each: 1h, share: 1/2}, {measure: acceptance, mean: 2h}]}}\n"),
		[]byte("schema: opsec.sla/v1\nclause: {emergency: {hours: {zone: UTC, hours: [Mon-Fri 22:00-06:00]}, targets: [{measure: acceptance, each: -1h}]}}\n"))
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a, err := sla.Parse(x)
		if err != nil {
			return
		}
		b, err := sla.Parse(y)
		if err != nil {
			return
		}
		require.Empty(t, comparison.Compare(a, a))
		list, back := comparison.Compare(a, b), comparison.Compare(b, a)
		verdict := comparison.Overall(list)
		require.Equal(t, verdict.Reverse(), comparison.Overall(back), "%v %v", list, back)
		require.Equal(t, len(list) == 0, verdict == comparison.Equal)
		for _, d := range list {
			require.NotEqual(t, comparison.Equal, d.Verdict)
			require.NotEmpty(t, d.Reason)
		}
		if verdict == comparison.Stronger || verdict == comparison.Equal {
			require.Empty(t, comparison.Meets(b, a))
		}
		require.Empty(t, comparison.Meets(a, a))
	})
}
