"""The database records every right, role and membership that somebody gets or loses, and refuses roles that exclude each other."""

from django.conf import settings
from django.db import migrations

_RECORD = """
CREATE FUNCTION catalogue_record_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  row record;
  kind text; person bigint; holder text; what text; target text := '';
BEGIN
  IF TG_OP = 'DELETE' THEN row := OLD; ELSE row := NEW; END IF;
  IF TG_TABLE_NAME = 'auth_user_groups' THEN
    kind := 'role'; person := row.user_id;
    SELECT name INTO what FROM auth_group WHERE id = row.group_id;
    what := coalesce(what, 'a role that is gone');
  ELSIF TG_TABLE_NAME = 'auth_group_permissions' THEN
    kind := 'role_right';
    SELECT name INTO holder FROM auth_group WHERE id = row.group_id;
  ELSIF TG_TABLE_NAME = 'auth_user_user_permissions' THEN
    kind := 'right'; person := row.user_id;
  ELSE
    kind := 'row_right'; person := row.user_id;
    SELECT t.app_label || '.' || t.model || ' ' || row.object_pk INTO target FROM django_content_type t WHERE t.id = row.content_type_id;
  END IF;
  IF what IS NULL THEN
    SELECT t.app_label || '.' || p.codename INTO what
    FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id WHERE p.id = row.permission_id;
  END IF;
  IF person IS NOT NULL THEN SELECT username INTO holder FROM auth_user WHERE id = person; END IF;
  INSERT INTO catalogue_grantentry (at, kind, person, holder, what, "on", given, by, reason) VALUES (
    clock_timestamp(), kind, person, coalesce(holder, 'an account that is gone'), coalesce(what, 'something that is gone'), target, TG_OP = 'INSERT',
    nullif(current_setting('itsm_backup.by', true), '')::bigint, coalesce(current_setting('itsm_backup.reason', true), '')
  );
  RETURN NULL;
END $$;
"""
TABLES = ("auth_user_groups", "auth_group_permissions", "auth_user_user_permissions", "guardian_userobjectpermission")
_TRIGGERS = "".join(
    f"CREATE TRIGGER record_grant AFTER INSERT OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION catalogue_record_grant();\n"
    for table in TABLES
)

# The pairs of catalogue.duties that no person holds together; a test compares the two.
_REFUSE = """
CREATE FUNCTION catalogue_keep_duties_apart() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  gained text;
  held text;
BEGIN
  SELECT split_part(name, ' ', 1) INTO gained FROM auth_group WHERE id = NEW.group_id;
  SELECT split_part(g.name, ' ', 1) INTO held
  FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id
  JOIN (VALUES
    ('monitoring-admin', 'steward'), ('monitoring-admin', 'approver'), ('operator', 'approver'),
    ('auditor', 'monitoring-admin'), ('auditor', 'steward'), ('auditor', 'approver'), ('auditor', 'requester'),
    ('auditor', 'change-manager'), ('auditor', 'operator')
  ) AS pair(one, other)
    ON (pair.one, pair.other) = (gained, split_part(g.name, ' ', 1)) OR (pair.other, pair.one) = (gained, split_part(g.name, ' ', 1))
  WHERE m.user_id = NEW.user_id AND m.id <> NEW.id AND NOT EXISTS (
    SELECT 1 FROM catalogue_dutyexception e
    WHERE e.person_id = NEW.user_id AND e.valid_until > clock_timestamp() AND e.valid_from <= clock_timestamp()
      AND ((e.one, e.other) = (pair.one, pair.other) OR (e.other, e.one) = (pair.one, pair.other))
  ) LIMIT 1;
  IF held IS NOT NULL THEN
    RAISE EXCEPTION 'the duties % and % exclude each other: no person holds both without an exception', held, gained
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_duties_apart BEFORE INSERT OR UPDATE ON auth_user_groups
  FOR EACH ROW EXECUTE FUNCTION catalogue_keep_duties_apart();
"""
_BACK = (
    "".join(f"DROP TRIGGER record_grant ON {table};\n" for table in TABLES)
    + "DROP TRIGGER keep_duties_apart ON auth_user_groups; DROP FUNCTION catalogue_record_grant(); DROP FUNCTION catalogue_keep_duties_apart();"
)


class Migration(migrations.Migration):
    replaces = [("catalogue", "0005_rights_on_record")]
    dependencies = [
        ("catalogue", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("guardian", "0003_remove_groupobjectpermission_guardian_gr_content_ae6aec_idx_and_more"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunSQL(_RECORD + _TRIGGERS + _REFUSE, _BACK)]
