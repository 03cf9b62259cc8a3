package spray

import "github.com/cloudopsec/opsec/internal/sketch"

// ways is how many rows share a place of a table.
const ways = 16

// table follows those with the most failures. A new one takes the place of the one with the fewest of 16 (Space-Saving: Metwally,
// Agrawal and El Abbadi, 2005), but only when the sketch knows more failures of it, so that those that come once displace nobody; and
// never the place of one that was told.
type table struct {
	rows     []row
	seen     *sketch.Frequency
	replaced uint64 // rows that had to go
	refused  uint64 // failures that are in no row
}

func newTable(rows, counters int) *table {
	return &table{rows: make([]row, (rows+ways-1)/ways*ways), seen: sketch.NewFrequency(counters)}
}

func (t *table) place(id uint64) []row {
	i := id >> 32 % uint64(len(t.rows)/ways) * ways // the lowest bit is always set
	return t.rows[i : i+ways]
}

// find returns the row, or nil when it is not followed.
func (t *table) find(id uint64) *row {
	for i := range t.place(id) {
		if r := &t.place(id)[i]; r.id == id && r.weight > 0 {
			return r
		}
	}
	return nil
}

// failed counts a failure, and returns the row, or nil when it is not followed.
func (t *table) failed(id uint64) *row {
	n := t.seen.Add(id)
	place := t.place(id)
	var fewest *row
	for i := range place {
		r := &place[i]
		if r.id == id && r.weight > 0 {
			r.weight = max(r.weight, n)
			return r
		}
		if r.told == 0 && (fewest == nil || r.weight < fewest.weight) {
			fewest = r
		}
	}
	if fewest == nil || fewest.weight >= n {
		t.refused++
		return nil
	}
	if fewest.weight > 0 {
		t.replaced++
	}
	*fewest = row{id: id, weight: n}
	return fewest
}

func (t *table) clear() {
	clear(t.rows)
	t.seen.Clear()
}
