-- The tables of a store, a line each for column, key and reference, as `sqlite/schema.sql` has them.
SELECT line FROM (
    SELECT format('%s.%s %s%s', c.table_name, c.column_name,
                  CASE c.data_type WHEN 'jsonb' THEN 'text' ELSE c.data_type END,
                  CASE c.is_nullable WHEN 'NO' THEN ' not null' ELSE '' END) AS line
    FROM information_schema.columns AS c
    WHERE c.table_schema = current_schema() AND c.table_name NOT LIKE '\_sqlx%'
    UNION ALL
    SELECT format('%s (%s) %s', t.relname, string_agg(a.attname, ',' ORDER BY k.position),
                  CASE WHEN i.indisprimary THEN 'primary' WHEN i.indisunique THEN 'unique'
                       ELSE 'index' END)
    FROM pg_index AS i
    JOIN pg_class AS t ON t.oid = i.indrelid
    CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, position)
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.number
    WHERE t.relnamespace = current_schema()::REGNAMESPACE AND t.relname NOT LIKE '\_sqlx%'
    GROUP BY i.indexrelid, t.relname, i.indisprimary, i.indisunique
    UNION ALL
    SELECT format('%s.%s -> %s.%s', t.relname, a.attname, r.relname, b.attname)
    FROM pg_constraint AS c
    JOIN pg_class AS t ON t.oid = c.conrelid
    JOIN pg_class AS r ON r.oid = c.confrelid
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
    JOIN pg_attribute AS b ON b.attrelid = r.oid AND b.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND t.relnamespace = current_schema()::REGNAMESPACE
) AS lines
ORDER BY line COLLATE "C"
