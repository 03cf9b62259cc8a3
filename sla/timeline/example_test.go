package timeline_test

import (
	"fmt"

	"github.com/cloudopsec/opsec/sla/timeline"
)

func ExampleUnion() {
	fmt.Println(timeline.Union([]timeline.Span{{Start: 30, End: 40}, {Start: 10, End: 20}, {Start: 20, End: 25}, {Start: 35, End: 50}}))
	// Output: [{10 25} {30 50}]
}

func ExampleLine() {
	month := timeline.Span{Start: 0, End: 100}
	down := timeline.Union([]timeline.Span{{Start: 90, End: 120}, {Start: 10, End: 20}})
	works := timeline.Line{{Start: 15, End: 30}}
	fmt.Println("down", down.Within(month), "for", down.Within(month).Length())
	fmt.Println("in works", down.And(works), "else", down.Without(works))
	fmt.Println("either", down.Or(works))
	fmt.Println("at 19", down.Has(19), "at 20", down.Has(20))
	// Output:
	// down [{10 20} {90 100}] for 20
	// in works [{15 20}] else [{10 15} {90 120}]
	// either [{10 30} {90 120}]
	// at 19 true at 20 false
}
