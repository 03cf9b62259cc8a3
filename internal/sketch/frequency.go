package sketch

// Frequency estimates how often each 64-bit digest was seen, in fixed memory (count-min sketch with conservative update: Cormode and
// Muthukrishnan, 2005; Estan and Varghese, 2002). It never says too few. It says too many by the number of all digests
// divided by the width, about, when they are many and different; by nothing, when they are few.
type Frequency struct {
	rows [4][]uint32
}

// NewFrequency returns one of that width, a power of two from 16: 16 bytes each.
func NewFrequency(width int) *Frequency {
	f := new(Frequency)
	for i := range f.rows {
		f.rows[i] = make([]uint32, width)
	}
	return f
}

// Add notes a digest, and returns how often it was seen, this time included.
func (f *Frequency) Add(digest uint64) uint32 {
	var cells [4]*uint32
	least := ^uint32(0)
	for i := range f.rows {
		cells[i] = f.cell(i, digest)
		least = min(least, *cells[i])
	}
	if least == ^uint32(0) {
		return least
	}
	for _, c := range cells {
		*c = max(*c, least+1)
	}
	return least + 1
}

// cell mixes the digest in another way for each row.
func (f *Frequency) cell(i int, digest uint64) *uint32 {
	x := (digest ^ digest>>32) * (0x9e3779b97f4a7c15 + 2*uint64(i)*0x632be59bd9b4e019)
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return &f.rows[i][x>>32&uint64(len(f.rows[i])-1)]
}

// Clear forgets everything.
func (f *Frequency) Clear() {
	for _, row := range f.rows {
		clear(row)
	}
}
