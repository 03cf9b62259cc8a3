package correlate_test

import (
	"fmt"
	"log"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/correlate"
)

func ExampleEngine() {
	engine, err := correlate.New(correlate.Policy{Rules: correlate.Presets()})
	if err != nil {
		log.Fatal(err)
	}
	events := failures(7, "eve") // seven log-ins that failed
	events = append(events, login(start.Add(time.Minute), "eve", opsec.Success), grant(start.Add(2*time.Minute), "eve", "eve"))

	var found []correlate.Match
	for i, e := range events {
		found = append(found, engine.Add(e, fmt.Sprint("log/", i), start.Add(time.Hour))...)
	}
	found = append(found, engine.Flush()...)
	for _, m := range found {
		fmt.Println(m.Severity, m.Rule, m.By)
		for _, s := range m.Steps {
			fmt.Println("  ", s.Count, s.Refs)
		}
	}
	fmt.Println("anything left out:", engine.Status().Lost())
	// Output:
	// critical guessed-then-raised [{account acme/eve}]
	//    5 [log/2 log/3 log/4 log/5 log/6]
	//    1 [log/7]
	//    1 [log/8]
	// high granted-to-self [{account acme/eve}]
	//    1 [log/8]
	// anything left out: false
}
