"""What people see: tables in words and numbers, pictures, and the report as a page and a PDF."""
