"""What is measured of labels and trees: which labels are alike, what is confused, how good a tree is."""
