package index

// Again returns what a Builder encodes that was given the entries of x. Of times it gives each block the two that x knows.
func (x *Index) Again(span uint64) []byte {
	numbers := make([][]uint64, x.Len())
	for i := range x.ends {
		var s set
		s.add(x.posting(i))
		s.ascend(0, func(pos uint16) bool {
			numbers[pos] = append(numbers[pos], x.number(i))
			return true
		})
	}
	b := NewBuilder(span)
	for pos := range numbers {
		for _, number := range numbers[pos] {
			b.add(number, uint16(pos))
		}
		t := x.times.times[pos/blockLen]
		if pos%blockLen == 0 {
			b.blocks.add(t.min)
		} else {
			b.blocks.add(t.max)
		}
	}
	return b.Encode()
}
