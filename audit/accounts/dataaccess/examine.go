package dataaccess

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Sources are what an examination looks at.
type Sources struct {
	// Accesses are sorted by operator and time. Required.
	Accesses iter.Seq2[Access, error]
	// Directory answers about purposes and consents. Without it, those kinds are not tested.
	Directory Directory
	// Norms are what is usual for each duty. Without them AbovePeers is not tested.
	Norms *Norms
	// Since is where the span begins that is judged. Accesses from before it are the operator's history alone; a day that
	// it cuts is judged as a whole. Zero: all is judged.
	Since time.Time
	// Summary, unless nil, is filled in when the sequence of findings ends.
	Summary *Summary
}

// Examine yields what is wrong or unusual, operator by operator and day by day. An error is the last thing it yields: it
// wraps [opsec.ErrInvalid] if the policy or a row is at fault ([*OrderError]: the order), and otherwise comes from the
// accesses or from ctx. Memory does not depend on the number of accesses and operators.
func (p Policy) Examine(ctx context.Context, s Sources) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		duties, err := p.compile()
		if err == nil && s.Accesses == nil {
			err = fmt.Errorf("dataaccess: no accesses: %w", opsec.ErrInvalid)
		}
		if err != nil {
			yield(Finding{}, err)
			return
		}
		e := &examiner{
			Policy: p.withDefaults(), ctx: ctx, duties: duties, norms: s.Norms, since: s.Since, yield: yield,
			skip: map[Kind]bool{}, groups: map[group]int{}, today: map[string]*volume{},
			usual: map[string]usual{}, notTested: map[NotTested]int64{}, found: map[Kind]int64{},
		}
		for _, k := range p.Skip {
			e.skip[k] = true
		}
		if s.Directory != nil {
			e.directory = ask(s.Directory)
		}
		for _, l := range duties {
			e.widest = max(e.widest, l.Customers)
		}
		r := reader{accesses: s.Accesses}
		for a, err := range r.all {
			if err = errors.Join(err, ctx.Err()); err != nil {
				if e.flush(); !e.stopped {
					yield(Finding{}, err)
				}
				break
			}
			if e.access(&r, a); e.stopped {
				break
			}
		}
		if r.complete {
			e.flush()
			if err := ctx.Err(); err != nil && !e.stopped { // the last answers may be missing
				r.complete = false
				yield(Finding{}, err)
			}
		}
		if s.Summary != nil {
			*s.Summary = e.summary(&r)
		}
	}
}

// maxGroups is how many findings are open at once, about the accesses of one day. Beyond, they end early, and the same
// may be found again that day.
const maxGroups = 1024

// group is what accesses have in common that are one finding.
type group struct {
	kind, of Kind
	customer opsec.TenantID
	detail   string
}

type examiner struct {
	Policy
	ctx       context.Context
	duties    map[string]*limits
	directory *asked
	norms     *Norms
	usual     map[string]usual // by duty, once it was asked for
	since     time.Time
	skip      map[Kind]bool
	widest    int
	yield     func(Finding, error) bool
	stopped   bool

	// The operator, the day, and what was found on it.
	any      bool // an operator has begun
	day      int64
	judged   bool // an access of the day is in the span
	total    volume
	today    map[string]*volume // by duty
	of       Finding            // all accesses of the day
	top      largest
	history  history
	groups   map[group]int // places in open
	open     []Finding
	reached  []reached // customers, the latest last, at most widest+1
	breadth  Finding   // open if Count is not 0
	operator int64

	earlier   int64
	notTested map[NotTested]int64
	found     map[Kind]int64
}

// reached is a customer whose data an operator has had.
type reached struct {
	customer opsec.TenantID
	at       time.Time
}

func (e *examiner) access(r *reader, a *Access) {
	if r.newDay {
		e.flushDay()
	}
	if r.newOperator {
		e.flushOperator()
		e.operator++
	}
	e.any, e.day = true, dayOf(a.Time)
	e.volume(a)
	l := e.limits(a.Operator.Duty)
	customers := e.reach(a)
	if a.Time.Before(e.since) {
		e.earlier++
		return
	}
	e.judged = true
	if a.Operator.Person == "" {
		e.find(a, Unattributed, "", "with an account that nobody is known behind")
	}
	e.hours(a, l)
	e.purpose(a)
	e.consent(a)
	e.spread(a, customers, l.Customers)
}

func (e *examiner) limits(duty string) *limits {
	if l := e.duties[duty]; l != nil {
		return l
	}
	return e.duties[""]
}

// find counts an access into a finding of its day.
func (e *examiner) find(a *Access, kind, of Kind, detail string) {
	if e.skip[kind] {
		return
	}
	g := group{kind, of, a.Customer, detail}
	if kind == Untested {
		g.customer, g.detail = opsec.Provider, "" // the text of an error may be any: the first stands for all
	}
	at, ok := e.groups[g]
	if !ok {
		if len(e.open) == maxGroups {
			e.flushGroups()
		}
		at = len(e.open)
		e.groups[g] = at
		e.open = append(e.open, Finding{Kind: kind, Of: of, Severity: kind.severity(), Tenant: g.customer, Detail: detail})
	}
	e.open[at].add(a, e.Listed)
}

func (e *examiner) untested(k Kind, why string) { e.notTested[NotTested{Kind: k, Why: why}]++ }

func (e *examiner) hours(a *Access, l *limits) {
	switch {
	case l.hours == nil:
		e.untested(OffHours, "a duty has no hours in the policy")
	case !l.hours.Open(a.Time):
		e.find(a, OffHours, "", "outside the hours of the duty")
	}
}

func (e *examiner) purpose(a *Access) {
	switch {
	case e.skip[NoPurpose] && e.skip[WrongPurpose]:
	case e.directory == nil:
		e.untested(NoPurpose, "no directory was given")
		e.untested(WrongPurpose, "no directory was given")
	case a.Ticket == "":
		e.find(a, NoPurpose, "", "without a ticket")
	default:
		p, err := e.directory.purpose(e.ctx, a.Ticket)
		if errors.Is(err, opsec.ErrNotFound) {
			e.find(a, NoPurpose, "", "with a ticket that does not exist")
		} else if err != nil {
			e.unanswered(a, "purpose", err, WrongPurpose, NoPurpose)
		} else if why := purposeFault(a, p); why != "" {
			e.find(a, WrongPurpose, "", why)
		}
	}
}

func (e *examiner) consent(a *Access) {
	all := []Kind{NoConsent, LapsedConsent, LateConsent}
	switch {
	case e.skip[NoConsent] && e.skip[LapsedConsent] && e.skip[LateConsent]:
	case e.directory == nil:
		for _, k := range all {
			e.untested(k, "no directory was given")
		}
	default:
		list, err := e.directory.consent(e.ctx, a)
		if err != nil {
			e.unanswered(a, "consent", err, all...)
		} else if kind, why := consentFault(a, list); kind != "" {
			e.find(a, kind, "", why)
		}
	}
}

// unanswered notes kinds that could not be judged. The finding names the first that is looked for.
func (e *examiner) unanswered(a *Access, what string, err error, all ...Kind) {
	if e.ctx.Err() != nil {
		return // which ends it all
	}
	for _, k := range all {
		e.untested(k, "the directory did not answer")
	}
	at := slices.IndexFunc(all, func(k Kind) bool { return !e.skip[k] })
	e.find(a, Untested, all[at], "whose "+what+" could not be had: "+quoted(fmt.Sprintf("%.200s", err.Error())))
}

// reach notes the customer, and returns how many customers the window up to now has: exactly up to widest, and then
// widest+1.
func (e *examiner) reach(a *Access) int {
	at := slices.IndexFunc(e.reached, func(r reached) bool { return r.customer == a.Customer })
	if at >= 0 {
		e.reached = slices.Delete(e.reached, at, at+1)
	} else if len(e.reached) > e.widest {
		e.reached = slices.Delete(e.reached, 0, 1)
	}
	e.reached = append(e.reached, reached{a.Customer, a.Time})
	begin := a.Time.Add(-e.Window)
	old := 0
	for !e.reached[old].at.After(begin) {
		old++
	}
	e.reached = slices.Delete(e.reached, 0, old)
	return len(e.reached)
}

func (e *examiner) spread(a *Access, customers, most int) {
	switch {
	case e.skip[Breadth]:
	case customers > most:
		e.breadth.add(a, e.Listed)
		e.breadth.Detail = fmt.Sprintf("data of more than %d customers within %v", most, e.Window)
	default:
		e.flushBreadth()
	}
}

func (e *examiner) volume(a *Access) {
	e.total.add(a)
	e.top.add(a, e.Listed)
	e.of.add(a, 0)
	v := e.today[a.Operator.Duty]
	if v == nil {
		if len(e.today) == maxDuties {
			e.untested(AbovePeers, "one operator had too many duties in a day")
			return
		}
		v = new(volume)
		e.today[a.Operator.Duty] = v
	}
	v.add(a)
}

// flushDay judges the volume of a day that is over, and makes it history.
func (e *examiner) flushDay() {
	if !e.any {
		return
	}
	e.flushGroups()
	e.history.forget(e.day, e.HistoryDays)
	usual := volume{1<<64 - 1, 1<<64 - 1}
	if len(e.history.days) >= e.MinDays {
		usual.records = max(e.FloorRecords, e.history.bound(recordsOf, e.Deviations))
		usual.bytes = max(e.FloorBytes, e.history.bound(bytesOf, e.Deviations))
		if e.judged {
			e.over(AboveOwn, e.total, usual, "where the operator's own history explains up to ")
		}
	} else if e.judged {
		e.untested(AboveOwn, "the operator's history is too short")
	}
	if e.judged {
		e.peers()
		e.ceiling()
	}
	e.history.append(e.day, volume{min(e.total.records, usual.records), min(e.total.bytes, usual.bytes)})
	e.total, e.of, e.judged = volume{}, Finding{}, false
	e.top.clear()
	clear(e.today)
}

func (e *examiner) peers() {
	for _, duty := range sortedDuties(e.today) {
		u := e.usualOf(duty)
		switch {
		case e.norms == nil:
			e.untested(AbovePeers, "no norms were given")
		case u.peers < uint64(e.MinPeers):
			e.untested(AbovePeers, "a duty has too few peers")
		default:
			e.over(AbovePeers, *e.today[duty], u.volume, "where the peers of the duty explain up to ")
		}
	}
}

// usual is the most that is usual for a duty.
type usual struct {
	volume
	peers uint64
}

func (e *examiner) usualOf(duty string) usual {
	u, ok := e.usual[duty]
	if ok {
		return u
	}
	records, bytes, peers := e.norms.Usual(duty)
	factor := uint64(e.PeerFactor)
	u = usual{volume{max(e.FloorRecords, times(factor, records)), max(e.FloorBytes, times(factor, bytes))}, peers}
	if len(e.usual) < maxDuties {
		e.usual[duty] = u
	}
	return u
}

// ceiling holds each duty's volume against its own limit.
func (e *examiner) ceiling() {
	for _, duty := range sortedDuties(e.today) {
		l := e.limits(duty)
		e.over(AboveCeiling, *e.today[duty], volume{l.Records, l.Bytes}, "where nobody may have more than ")
	}
}

func sortedDuties(today map[string]*volume) []string {
	list := make([]string, 0, len(today))
	for duty := range today {
		list = append(list, duty)
	}
	slices.Sort(list)
	return list
}

// over finds a day whose volume is above what is usual.
func (e *examiner) over(kind Kind, v, usual volume, why string) {
	if e.skip[kind] {
		return
	}
	var had, could []string
	compare := func(v, usual uint64, unit string) {
		if v > usual {
			had = append(had, strconv.FormatUint(v, 10)+" "+unit)
			could = append(could, strconv.FormatUint(usual, 10))
		}
	}
	compare(v.records, usual.records, "records")
	compare(v.bytes, usual.bytes, "bytes")
	if had == nil {
		return
	}
	f := e.of
	f.Kind, f.Severity, f.Tenant = kind, kind.severity(), opsec.Provider
	f.Detail = strings.Join(had, " and ") + " in a day, " + why + strings.Join(could, " and ")
	f.Evidence = slices.Clone(e.top.refs)
	f.Omitted = e.top.omitted
	e.emit(f)
}

func (e *examiner) flushGroups() {
	for _, f := range e.open {
		accesses := "accesses "
		if f.Count == 1 {
			accesses = "access "
		}
		f.Detail = strconv.FormatUint(f.Count, 10) + " " + accesses + f.Detail
		e.emit(f)
	}
	e.open = e.open[:0]
	clear(e.groups)
}

func (e *examiner) flushBreadth() {
	if e.breadth.Count == 0 {
		return
	}
	f := e.breadth
	f.Kind, f.Severity, f.Tenant = Breadth, Breadth.severity(), opsec.Provider
	e.emit(f)
	e.breadth = Finding{}
}

func (e *examiner) flushOperator() {
	e.flushBreadth()
	e.history.clear()
	e.reached = e.reached[:0]
}

func (e *examiner) flush() {
	e.flushDay()
	e.flushOperator()
}

func (e *examiner) emit(f Finding) {
	if e.stopped {
		return
	}
	e.found[f.Kind]++
	e.stopped = !e.yield(f, nil)
}

func (e *examiner) summary(r *reader) Summary {
	s := Summary{
		Rows: r.rows, Passed: r.passed, Earlier: e.earlier, Operators: e.operator,
		Findings: e.found, Complete: r.complete,
	}
	for what, n := range e.notTested {
		if !e.skip[what.Kind] {
			what.Count = n
			s.NotTested = append(s.NotTested, what)
		}
	}
	for k := range e.skip {
		s.NotTested = append(s.NotTested, NotTested{Kind: k, Why: "left out by the policy"})
	}
	slices.SortFunc(s.NotTested, func(a, b NotTested) int {
		if c := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); c != 0 {
			return c
		}
		return strings.Compare(a.Why, b.Why)
	})
	for _, k := range kinds {
		if k != Untested && !slices.ContainsFunc(s.NotTested, func(n NotTested) bool { return n.Kind == k }) {
			s.Tested = append(s.Tested, k)
		}
	}
	return s
}
