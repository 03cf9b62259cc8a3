package dataaccess

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/bits"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Norms are what is usual for each duty: how much its operators took on their busiest days, one day for each of them.
// It keeps counts by size and no name; a size is known to a sixteenth, and errs upwards. The zero Norms know nothing.
type Norms struct{ duties map[string]*norm }

type norm struct {
	Operators uint64 `json:"operators"`
	Records   sizes  `json:"records"`
	Bytes     sizes  `json:"bytes"`
}

// sizes counts values: up to 31 each, and beyond in sixteen steps for each power of two.
type sizes map[uint16]uint64

const maxBucket = 59*16 + 31

func (s sizes) add(v uint64) {
	shift := max(bits.Len64(v)-5, 0)
	s[uint16(shift*16+int(v>>shift))]++
}

// most returns the largest value of a bucket.
func most(bucket uint16) uint64 {
	if bucket < 32 {
		return uint64(bucket)
	}
	shift := bucket/16 - 1
	return uint64(bucket-shift*16+1)<<shift - 1
}

// median returns the lower median, or up to a sixteenth more.
func (s sizes) median() uint64 {
	var all, seen uint64
	for _, n := range s {
		all = plus(all, n)
	}
	for bucket := uint16(0); bucket <= maxBucket; bucket++ {
		if n := s[bucket]; n > 0 {
			if seen = plus(seen, n); seen >= all/2+all%2 {
				return most(bucket)
			}
		}
	}
	return 0
}

// Norms measures what is usual from accesses that are sorted as for [Policy.Examine], of some weeks that were usual. Those
// that would be passed over count for nothing.
func (p Policy) Norms(accesses iter.Seq2[Access, error]) (*Norms, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	n := &Norms{duties: map[string]*norm{}}
	busiest, today := map[string]*volume{}, map[string]*volume{}
	endDay := func() {
		for duty, v := range today {
			b := busiest[duty]
			if b == nil {
				b = new(volume)
				busiest[duty] = b
			}
			b.records, b.bytes = max(b.records, v.records), max(b.bytes, v.bytes)
		}
		clear(today)
	}
	endOperator := func() error {
		endDay()
		for duty, v := range busiest {
			if err := n.count(duty, *v); err != nil {
				return err
			}
		}
		clear(busiest)
		return nil
	}
	r := reader{accesses: accesses}
	for a, err := range r.all {
		if err != nil {
			return nil, err
		}
		if r.newOperator {
			if err := endOperator(); err != nil {
				return nil, err
			}
		} else if r.newDay {
			endDay()
		}
		v := today[a.Operator.Duty]
		if v == nil {
			if len(today) == maxDuties || len(busiest) > maxDuties {
				return nil, fmt.Errorf("dataaccess: norms: one operator has more than %d duties: %w", maxDuties, opsec.ErrInvalid)
			}
			v = new(volume)
			today[a.Operator.Duty] = v
		}
		v.add(a)
	}
	if err := endOperator(); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Norms) count(duty string, v volume) error {
	d := n.duties[duty]
	if d == nil {
		if len(n.duties) == maxDuties {
			return fmt.Errorf("dataaccess: norms: more than %d duties: %w", maxDuties, opsec.ErrInvalid)
		}
		d = &norm{Records: sizes{}, Bytes: sizes{}}
		n.duties[duty] = d
	}
	d.Operators++
	d.Records.add(v.records)
	d.Bytes.add(v.bytes)
	return nil
}

// Merge adds the norms of other operators, such as those of another site. An operator who is in both counts twice. The
// error wraps [opsec.ErrInvalid] if there would be too many duties; nothing has changed then.
func (n *Norms) Merge(other *Norms) error {
	sum := len(n.duties)
	for duty := range other.duties {
		if n.duties[duty] == nil {
			sum++
		}
	}
	if sum > maxDuties {
		return fmt.Errorf("dataaccess: norms: more than %d duties: %w", maxDuties, opsec.ErrInvalid)
	}
	if n.duties == nil {
		n.duties = map[string]*norm{}
	}
	for duty, from := range other.duties {
		to := n.duties[duty]
		if to == nil {
			to = &norm{Records: sizes{}, Bytes: sizes{}}
			n.duties[duty] = to
		}
		to.Operators = plus(to.Operators, from.Operators)
		for bucket, count := range from.Records {
			to.Records[bucket] = plus(to.Records[bucket], count)
		}
		for bucket, count := range from.Bytes {
			to.Bytes[bucket] = plus(to.Bytes[bucket], count)
		}
	}
	return nil
}

// Usual returns the busiest day of the median operator of a duty, and of how many operators it was taken.
func (n *Norms) Usual(duty string) (records, bytes, operators uint64) {
	if n == nil || n.duties[duty] == nil {
		return 0, 0, 0
	}
	d := n.duties[duty]
	return d.Records.median(), d.Bytes.median(), d.Operators
}

// MarshalJSON implements [json.Marshaler].
func (n Norms) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]map[string]*norm{"duties": n.duties})
}

// UnmarshalJSON implements [json.Unmarshaler]. It refuses what cannot have been measured, and leaves n as it was then.
func (n *Norms) UnmarshalJSON(data []byte) error {
	var read struct {
		Duties map[string]*norm `json:"duties"`
	}
	if err := strictjson.Decode(data, &read); err != nil {
		return fmt.Errorf("dataaccess: norms: %w: %w", err, opsec.ErrInvalid)
	}
	if len(read.Duties) > maxDuties {
		return fmt.Errorf("dataaccess: norms: more than %d duties: %w", maxDuties, opsec.ErrInvalid)
	}
	for duty, d := range read.Duties {
		if len(duty) > maxText || d == nil || !d.Records.holds(d.Operators) || !d.Bytes.holds(d.Operators) {
			return fmt.Errorf("dataaccess: norms: duty %.40q: want one size of each sort for each operator: %w",
				duty, opsec.ErrInvalid)
		}
	}
	n.duties = read.Duties
	return nil
}

// holds reports whether so many values, and one at least, have been counted in buckets that there are.
func (s sizes) holds(want uint64) bool {
	var sum uint64
	for bucket, n := range s {
		if bucket > maxBucket || n == 0 || n > want-sum {
			return false
		}
		sum += n
	}
	return sum == want && want > 0
}
