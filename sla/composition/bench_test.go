package composition_test

import (
	"fmt"
	"testing"

	c "github.com/cloudopsec/opsec/sla/composition"
)

// BenchmarkAvailability is of ten tiers of two in three, which share three dependencies: 33 parts; and of 200 in 256.
func BenchmarkAvailability(b *testing.B) {
	parts := map[string]string{"power": "99.99%", "network": "99.99%", "identity": "99.95%"}
	var tiers []c.Node
	for i := range 10 {
		var nodes []c.Node
		for j := range 3 {
			id := fmt.Sprint("vm ", i, j)
			parts[id] = "99.5%"
			nodes = append(nodes, c.Serial(c.Part(id), c.Part("power"), c.AtLeast(1, c.Part("network"), c.Part("identity"))))
		}
		tiers = append(tiers, c.AtLeast(2, nodes...))
	}
	most := row(b, 256)
	most.Top.Need = 200
	for name, s := range map[string]c.System{"tiers": {Parts: known(b, parts), Top: c.Serial(tiers...)}, "200 of 256": most} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Availability(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("weights", func(b *testing.B) {
		s := c.System{Parts: known(b, parts), Top: c.Serial(tiers...)}
		for b.Loop() {
			if _, err := s.Weights(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
