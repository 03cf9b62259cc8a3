// Package openslo reads objectives from OpenSLO v1 and writes them, and says what is lost on the way. It is pure functions:
// no clock, no store, and it connects to no data source.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.1: terms that can be measured, assessed and compared; so they should be where other tools can read
// them. Clause 7.2.2.1: service availability.
//
// # Ten lines
//
//	doc, lost, err := openslo.Parse(text)         // Service, SLO and SLI, in one stream
//	for _, l := range lost {
//		fmt.Println(l)                            // what there is no place for, and what was not taken as a whole
//	}
//	agreement.Services = doc.Services             // objectives that package metric measures
//	keep(doc.Sources)                             // how a monitoring system gets the figures: not looked at
//
//	doc = openslo.Document{Services: agreement.Services, Sources: sources}
//	text, lost, err = doc.YAML()                  // a Service and an SLO for each objective
//
// # What becomes of what
//
//	Occurrences       metric.Requests
//	Timeslices        metric.Slices with Good: timeSliceTarget, Slice: timeSliceWindow
//	RatioTimeslices   metric.MeanRate with Slice: timeSliceWindow
//	rolling 4w        metric.Window{Rolling: 672 hours}; a rolling month has no length and is not taken
//	calendar 1M       metric.Window{Calendar: "month", Zone: timeZone}; also 1d, 1w, 1Q, 1Y
//	target            metric.Objective.Target, exactly: 0.9995 and targetPercent 99.95 are 1999/2000
//	service           sla.Service
//	indicator         [Source], as it stands
//
// Written are also objectives by states, whose SLI must then give the share of time that was up: metric.Slices as Timeslices
// whose timeSliceTarget is 1, metric.Time as RatioTimeslices of a minute. They are read back as objectives by requests.
//
// An SLO of several objectives becomes so many, whose ids are its name with a number; the parts of a composite are judged each
// by itself. Slices without requests are unknown
// (metric.EmptyUnknown): OpenSLO does not say what they are. Windows of the calendar begin with the day, week (on Monday),
// month, quarter or year, at midnight; with a startTime at another moment they are others, and not taken.
//
// # Promises
//
// What is not carried over is reported with its path, in both directions. Where an objective would have another meaning it is
// left out as a whole. It is written without what its SLI must see to, such as its scope, and what was agreed in the provider's
// favour, such as that bad slices count in runs alone. What is written is read back the same, except for what was reported. Texts are bounded, and anchors,
// aliases, tags and names that stand twice are refused. Connections of data sources, which may hold secrets, are never kept.
//
// # What it will not do
//
// Read v1alpha and v2alpha. Carry alert policies over: see package budget for rules. Query anything: a [Source] may well
// hold a password that somebody wrote into a query, so treat it as you treat the file.
package openslo
