package sample

// Below returns where a draw takes its numbers from: from 0 to n-1.
func Below(s Seed, c Commitment) func(n uint64) uint64 { return newWords(s, c).below }
