package composition_test

import (
	"fmt"

	"github.com/cloudopsec/opsec/sla/composition"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// promised reads availabilities that are known.
func promised(of map[string]string) map[string]ratio.Range {
	parts := map[string]ratio.Range{}
	for id, text := range of {
		r, err := ratio.Parse(text)
		if err != nil {
			panic(err)
		}
		parts[id] = ratio.Range{Low: r, High: r}
	}
	return parts
}

// shop has two zones, which share a database.
func shop() composition.System {
	zone := func(n string) composition.Node {
		return composition.Serial(composition.Part("vm-"+n), composition.Part("db"))
	}
	return composition.System{
		Parts: promised(map[string]string{"vm-1": "99.5%", "vm-2": "99.5%", "db": "99.95%"}),
		Top:   composition.Parallel(zone("1"), zone("2")),
	}
}

func ExampleSystem_Availability() {
	f, err := shop().Availability()
	if err != nil {
		panic(err)
	}
	target, _ := ratio.Parse("99.95%")
	fmt.Println(f.Range().Low.Percent(6), f.AtLeast(target))
	// As if each zone had a database of its own, which is what the product of the zones says:
	zone := func(n string) composition.Node {
		return composition.Serial(composition.Part("vm-"+n), composition.Part("db-"+n))
	}
	apart := composition.System{
		Parts: promised(map[string]string{"vm-1": "99.5%", "vm-2": "99.5%", "db-1": "99.95%", "db-2": "99.95%"}),
		Top:   composition.Parallel(zone("1"), zone("2")),
	}
	f, err = apart.Availability()
	fmt.Println(f.Range().Low.Percent(6), f.AtLeast(target), err)
	// Output:
	// 99.947501 breach
	// 99.996977 met <nil>
}

func ExampleSystem_Whatever() {
	f, err := shop().Whatever()
	if err != nil {
		panic(err)
	}
	fmt.Println(f.Range().Low.Percent(3), f.Range().High.Percent(3))
	// Output:
	// 99.450 100.000
}

func ExampleSystem_Weights() {
	weights, err := shop().Weights()
	if err != nil {
		panic(err)
	}
	for _, w := range weights {
		fmt.Println(w.Part, w.Single, w.Down.Range().Low.Percent(3), w.Up.Range().Low.Percent(4))
	}
	// Output:
	// db true 0.000 99.9975
	// vm-1 false 99.450 99.9500
	// vm-2 false 99.450 99.9500
}

func ExampleSystem_Needed() {
	target, _ := ratio.Parse("99.95%")
	db, ok, err := shop().Needed("db", target)
	fmt.Println(db.FloatString(8), ok, err)
	target, _ = ratio.Parse("99.999%")
	_, ok, err = shop().Needed("db", target)
	fmt.Println(ok, err)
	// Output:
	// 0.99952499 true <nil>
	// false <nil>
}

func ExampleSystem_Validate() {
	s := composition.System{
		Parts: promised(map[string]string{"web": "99.9%", "cache": "99%"}),
		Top:   composition.Serial(composition.Part("web"), composition.Part("db")),
	}
	fmt.Println(s.Validate())
	// Output:
	// composition: top.of[1].part: there is no part "db"
	// composition: parts["cache"]: nothing is made of it
}

func ExamplePart() {
	s := composition.System{Parts: promised(map[string]string{"vm": "99.9%"}), Top: composition.Part("vm")}
	f, err := s.Availability()
	fmt.Println(f.Range().Low, err)
	// Output: 99.9% <nil>
}

func ExampleSerial() {
	s := composition.System{
		Parts: promised(map[string]string{"web": "99.9%", "db": "99.9%"}),
		Top:   composition.Serial(composition.Part("web"), composition.Part("db")),
	}
	f, err := s.Availability()
	fmt.Println(f.Range().Low, err)
	// Output: 99.8001% <nil>
}

func ExampleParallel() {
	s := composition.System{
		Parts: promised(map[string]string{"a": "99%", "b": "99%"}),
		Top:   composition.Parallel(composition.Part("a"), composition.Part("b")),
	}
	f, err := s.Availability()
	fmt.Println(f.Range().Low, err)
	// Output: 99.99% <nil>
}

func ExampleAtLeast() {
	s := composition.System{
		Parts: promised(map[string]string{"a": "90%", "b": "90%", "c": "90%"}),
		Top:   composition.AtLeast(2, composition.Part("a"), composition.Part("b"), composition.Part("c")),
	}
	f, err := s.Availability()
	fmt.Println(f.Range().Low, err)
	// Output: 97.2% <nil>
}

func ExampleFigure_AtLeast() {
	s := composition.System{Parts: promised(map[string]string{"a": "99.9%", "b": "99.9%"}), Top: composition.Serial(composition.Part("a"), composition.Part("b"))}
	f, _ := s.Availability()
	target, _ := ratio.Parse("99.8001%")
	fmt.Println(f.AtLeast(target))
	// Output: met
}

func ExampleFigure_Range() {
	third, _ := ratio.New(1, 3)
	s := composition.System{
		Parts: map[string]ratio.Range{"a": {Low: third, High: ratio.One()}},
		Top:   composition.Part("a"),
	}
	f, _ := s.Availability()
	fmt.Println(f.Range().Low, f.Range().High)
	// Output: 1/3 100%
}
