"""What a C compiler reads of an exported program: headers, and a program that trains."""
