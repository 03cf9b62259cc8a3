// Package evidence reads what was seen of services into evidence for package meter: from files, from probes of its own, from
// Prometheus and from the logs of its blackbox exporter. Incidents come from files, for package response.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.1: service availability is the percentage of time at which a service is usable, so that somebody
// has to see when it is; average recovery time is reckoned from incidents. Clause 7.2.1: terms can be assessed, by customers
// as well, so what is seen comes in forms that both parties have, and the same file is the same evidence to both. Clause
// 7.2.2.6, item 1: what is monitored.
//
// # Ten lines
//
//	m := meter.New()
//	for e, err := range evidence.States(file, "march.csv") { ... m.Add(e) }          // resource,start,end,state
//	for i, err := range evidence.Incidents(file, "incidents.csv") { ... }            // id,occurred,reported,...
//	p, err := evidence.NewProber([]evidence.Target{{"api", &evidence.HTTP{URL: "https://api.example/healthz"}}},
//		evidence.ProbePolicy{Source: "berlin", Interval: time.Minute, Timeout: 10 * time.Second, Gap: 2 * time.Minute,
//			Join: time.Hour, Parallel: 8}, nil)
//	err = p.Run(ctx, m.Add)                                                          // until ctx ends
//	prom := &evidence.Prometheus{URL: "http://prom:9090", Source: "prom", Resource: "instance", Gap: 2 * time.Minute,
//		FromZero: true}
//	for e, err := range prom.States(ctx, `probe_success{job="api"}`, month) { ... m.Add(e) }
//	for e, err := range prom.Requests(ctx, "requests_total", `requests_total{code=~"5.."}`, month) { ... m.Add(e) }
//	for e, err := range evidence.BlackboxLog(file, "blackbox.log", &evidence.Track{Source: "log", Gap: time.Minute}, nil) { ... }
//
// # From results to time
//
// A probe sees a moment, and a contract counts time. A result holds until the next one, for Gap at most ([Track]); what comes
// after that is unknown. With a Gap hardly longer than the interval each result stands for one interval, and one that is
// missing is one interval unknown; with twice the interval, the result before it forgives it. An outage that begins and ends between two probes is
// not seen, and one that is seen may be taken for up to an interval longer or shorter than it was: choose the interval by
// the shortest outage that counts.
//
// A counter is read now and then, and a contract counts requests in slices. What came between two readings counts in the
// slice in which the first lies ([Counters]): read more often than slices end, or with them. Requests whose failures were not
// read are left out, unless FromZero says that a counter of failures begins with the first.
//
// # Promises
//
// Nothing is made up. What was not seen is unknown; a sample that Prometheus would repeat for five minutes is not repeated,
// a counter is not extrapolated, and requests that nobody read are not guessed. Moments are whole milliseconds, rounded down.
//
// The same results are the same evidence: numbers are those of rows, or the moments at which spans begin, so that reading
// twice adds nothing, and a month that is asked for in parts is the month.
//
// Files and answers are hostile: sizes have caps, nothing but what is asked for is kept, each reader has a fuzz target, and
// an error says where it is, without quoting an address that may hold a secret. A file is read up to its first error: it is
// for the caller to take all of it or nothing.
//
// A test asks the Prometheus and the blackbox exporter of Debian: a month that was put into Prometheus comes out as it was, to
// the millisecond, with the same good and bad minutes, and the same requests as increase() over a range without edges; an
// outage is the same to all who watch.
//
// # What it will not do
//
// Believe. Who runs the prober says what it saw: let each party run one, or a third, and compare. A [ProbePolicy] probes at
// regular moments, which a service that wants to deceive can learn; and requests of a counter that stopped with its process
// are lost, mostly bad ones: put probes beside counters.
//
// Push, scrape again and again, or keep: [Scrape] reads one page, and package meter keeps. Native histograms, OpenMetrics,
// remote write, ICMP, DNS and browser checks: have the blackbox exporter or another do them, and read its page by
// [Metric].
package evidence
